"""Sums over the replicas of `tf.distribute`, and places in the global batch: the same numbers on any number of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Rows:
    """Where this replica's rows lie in the global batch.

    Attributes:
        start: How many rows the replicas before this one have, a scalar.
        count: How many this one has.
        total: How many all have.
    """

    start: tf.Tensor
    count: tf.Tensor
    total: tf.Tensor

    def spread(self, value: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """Return `[..., total, ...]`: this replica's `[..., count, ...]` in their place, and some of them elsewhere."""
        # A replica may have no row at all; then zeros stand in, and nobody reads them.
        padding = [[0, int(place == axis)] for place in range(len(value.shape))]
        places = tf.math.floormod(tf.range(self.total) - self.start, tf.maximum(self.count, 1))
        spread = tf.gather(tf.pad(value, padding), places, axis=axis)
        return tf.ensure_shape(spread, [*value.shape[:axis], None, *value.shape[axis + 1 :]])

    def own(self, value: tf.Tensor, axis: int = 0) -> tf.Tensor:
        """Return this replica's rows of `[..., total, ...]`."""
        return tf.gather(value, self.start + tf.range(self.count), axis=axis)


def replica_id() -> list[tf.Tensor]:
    """Return what tells this replica from the others, if there are others."""
    context = tf.distribute.get_replica_context()
    return [context.replica_id_in_sync_group] if context is not None and context.num_replicas_in_sync > 1 else []


def alone() -> bool:
    """Say whether this is the only replica, of a strategy that lets compiled functions update variables.

    A `MirroredStrategy` of one device does not.
    """
    return not tf.distribute.has_strategy() or isinstance(tf.distribute.get_strategy(), tf.distribute.OneDeviceStrategy)


def rows(per_example: tf.Tensor) -> Rows | None:
    """Return where the rows of `[batch, ...]` lie in the global batch, or None if there is one replica."""
    others = replica_id()
    if not others:
        return None
    count = tf.shape(per_example)[0]
    counts = tf.distribute.get_replica_context().all_gather(count[None], axis=0)
    return Rows(tf.reduce_sum(counts[: others[0]]), count, tf.reduce_sum(counts))


def in_place(
    draw: Callable[[Callable[[tf.Tensor], tf.Tensor]], Any], where: Rows | None, axis: int, parameters_axis: int = 0
) -> Any:
    """Draw at random for this replica's rows as one device would, which draws for all rows of the global batch.

    Stateless noise depends on an element's place in the tensor that is drawn. So each replica draws a tensor with a row
    for every example of the global batch, and keeps its own; the rows of others are drawn from whatever parameters.

    Args:
        draw: Given the function that spreads parameters `[batch, ...]` over the global batch, draws a nest of tensors.
        where: This replica's rows; None if there is one replica.
        axis: The axis of rows in what is drawn.
        parameters_axis: The axis of rows in the parameters.
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


def mean(per_example: tf.Tensor) -> tf.Tensor:
    """Return the mean over the examples, the first axis, of the global batch."""
    count = tf.cast(tf.shape(per_example)[0], per_example.dtype)
    return total(tf.reduce_sum(per_example, axis=0)) / total(count)


def gather(per_example: tf.Tensor, axis: int = 0) -> tf.Tensor:
    """Return the rows of all replicas, one after the other; their gradients come back."""
    if not replica_id():
        return per_example
    gathered = tf.distribute.get_replica_context().all_gather(per_example, axis=axis)
    shape = per_example.shape.as_list()
    shape[axis] = None
    return tf.ensure_shape(gathered, shape)  # which gathering forgets


def shared_out(strategy: tf.distribute.Strategy, batches: Any) -> Any:
    """Return batches whose rows are shared out among the strategy's replicas, if there are several."""
    if strategy.num_replicas_in_sync == 1:
        return batches
    if not isinstance(batches, tf.data.Dataset):
        raise ValueError(
            f"a model on {strategy.num_replicas_in_sync} replicas wants an array or a tf.data.Dataset, whose batches "
            f"can be shared out; received a {type(batches).__name__}"
        )
    return strategy.experimental_distribute_dataset(batches)


def gathered(strategy: tf.distribute.Strategy, per_example: Any) -> np.ndarray:
    """Return what the replicas computed for their rows, `[batch]`, in the order of the global batch."""
    if strategy.num_replicas_in_sync == 1:
        return per_example.numpy()
    return strategy.gather(per_example, axis=0).numpy()
