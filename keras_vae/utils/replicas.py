"""Sums over `tf.distribute` replicas and positions in the global batch: the same values for any number of replicas."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Rows:
    """The position of this replica's rows in the global batch.

    Attributes:
        start: Number of rows on the replicas before this one, a scalar.
        count: Number of rows on this replica.
        total: Number of rows on all replicas.
    """

    start: tf.Tensor
    count: tf.Tensor
    total: tf.Tensor

    def spread(self, value: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """Return `[..., total, ...]`: this replica's `[..., count, ...]` in position, and arbitrary ones elsewhere."""
        # A replica may have no rows; it then fills in zeros, which are never read.
        padding = [[0, int(place == axis)] for place in range(len(value.shape))]
        places = tf.math.floormod(tf.range(self.total) - self.start, tf.maximum(self.count, 1))
        spread = tf.gather(tf.pad(value, padding), places, axis=axis)
        return tf.ensure_shape(spread, [*value.shape[:axis], None, *value.shape[axis + 1 :]])

    def own(self, value: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """Return this replica's rows of `[..., total, ...]`."""
        return tf.gather(value, self.start + tf.range(self.count), axis=axis)


def replica_id() -> list[tf.Tensor]:
    """Return a list with the replica's id, or an empty list if there is only one replica."""
    context = tf.distribute.get_replica_context()
    return [context.replica_id_in_sync_group] if context is not None and context.num_replicas_in_sync > 1 else []


def alone() -> bool:
    """Return whether this is the only replica and its strategy lets compiled functions update variables.

    A `MirroredStrategy` with one device does not.
    """
    return not tf.distribute.has_strategy() or isinstance(tf.distribute.get_strategy(), tf.distribute.OneDeviceStrategy)


def rows(per_example: tf.Tensor) -> Rows | None:
    """Return the position of the rows of `[batch, ...]` in the global batch, or None if there is one replica."""
    others = replica_id()
    if not others:
        return None
    count = tf.shape(per_example)[0]
    counts = tf.distribute.get_replica_context().all_gather(count[None], axis=0)
    return Rows(tf.reduce_sum(counts[: others[0]]), count, tf.reduce_sum(counts))


def in_place(
    draw: Callable[[Callable[[tf.Tensor], tf.Tensor]], Any], where: Rows | None, axis: int, parameters_axis: int = 0
) -> Any:
    """Draw samples for this replica's rows, the same as one device draws for these rows of the global batch.

    Stateless noise depends on an element's position in the tensor. Therefore each replica draws a tensor with a row for
    every example of the global batch and keeps its own rows; the other rows are drawn with arbitrary parameters.

    Args:
        draw: Takes a function that spreads parameters `[batch, ...]` over the global batch, and returns a nest of
            tensors.
        where: The position of this replica's rows; None if there is one replica.
        axis: The row axis of the samples.
        parameters_axis: The row axis of the parameters.
    """
    if where is None:
        return draw(lambda value: value)
    drawn = draw(lambda value: where.spread(value, parameters_axis))
    return tf.nest.map_structure(lambda part: where.own(part, axis), drawn)


def at_least_one(rows: tf.Tensor | None) -> tf.Tensor | None:
    """Return the rows, `[n, ...]`, or a row of zeros if there are none."""
    if rows is None:
        return None
    missing = tf.cast(tf.equal(tf.shape(rows)[0], 0), tf.int32)
    return tf.pad(rows, [[0, missing], *([[0, 0]] * (len(rows.shape) - 1))])


def total(value: tf.Tensor) -> tf.Tensor:
    """Return the sum of `value` over the replicas."""
    if not replica_id():
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def mean(per_example: tf.Tensor, weight: tf.Tensor | None = None) -> tf.Tensor:
    """Return the mean over the examples, the first axis, of the global batch.

    Args:
        per_example: `[batch, ...]`.
        weight: `[batch]`. Examples of weight 0 are as if absent; the mean of no example is 0.
    """
    if weight is None:
        count = tf.cast(tf.shape(per_example)[0], per_example.dtype)
        return total(tf.reduce_sum(per_example, axis=0)) / total(count)
    weight = tf.cast(weight, per_example.dtype)
    by_example = tf.reshape(weight, [-1, *[1] * (len(per_example.shape) - 1)])
    weighted = tf.reduce_sum(tf.math.multiply_no_nan(per_example, by_example), axis=0)
    return tf.math.divide_no_nan(total(weighted), total(tf.reduce_sum(weight)))


def present(weight: tf.Tensor) -> tf.Tensor:
    """Return 1 for examples that count and 0 for those of weight 0, in the dtype of `weight`."""
    return tf.cast(tf.not_equal(weight, 0), weight.dtype)


def gather(per_example: tf.Tensor, axis: int = 0) -> tf.Tensor:
    """Return the rows of all replicas, concatenated; gradients flow back to each replica."""
    if not replica_id():
        return per_example
    gathered = tf.distribute.get_replica_context().all_gather(per_example, axis=axis)
    shape = per_example.shape.as_list()
    shape[axis] = None
    return tf.ensure_shape(gathered, shape)  # all_gather loses it


def shared_out(strategy: tf.distribute.Strategy, batches: Any) -> Any:
    """Return batches whose rows are distributed over the strategy's replicas, if there are several."""
    if strategy.num_replicas_in_sync == 1:
        return batches
    if not isinstance(batches, tf.data.Dataset):
        raise ValueError(
            f"data for {strategy.num_replicas_in_sync} replicas: expected an array or a tf.data.Dataset, received a "
            f"{type(batches).__name__}. Convert it to one of these."
        )
    return strategy.experimental_distribute_dataset(batches)


def gathered(strategy: tf.distribute.Strategy, per_example: Any) -> np.ndarray:
    """Return the replicas' results for their rows, `[batch]`, in the order of the global batch."""
    if strategy.num_replicas_in_sync == 1:
        return per_example.numpy()
    return strategy.gather(per_example, axis=0).numpy()
