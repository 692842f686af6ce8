"""Checks of data that flows in batches: datasets, `keras.utils.PyDataset`s, generators and other libraries' loaders."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.families.base import Family
from keras_vae.trainer.array_checks import checked_arrays
from keras_vae.trainer.value_checks import WEIGHTS, assert_text, check_inside, check_shape, check_values, refuse
from keras_vae.utils.arrays import is_number, show_shape

_FORMS = "x, (x, y) or (x, y, sample_weight)"


def guarded_dataset(data: tf.data.Dataset, family: Family, condition: Condition | None) -> tf.data.Dataset:
    """Return the dataset with every value checked as it flows.

    Raises:
        ValueError: If its elements have another structure, shape or dtype, or there are none.
    """
    spec = data.element_spec
    specs = tuple(spec) if isinstance(spec, tuple | list) else (spec,)
    if not 1 <= len(specs) <= 3 or not isinstance(specs[0], tf.TensorSpec):
        sparse = len(specs) > 0 and isinstance(specs[0], tf.SparseTensorSpec | tf.RaggedTensorSpec)
        advice = "Map it to dense tensors" if sparse else "Map it to one of these"
        raise refuse(f"dataset: expected elements {_FORMS} of dense tensors, received {spec!r}. {advice}.")
    check_shape(specs[0].shape, specs[0].dtype, family, "Batch the dataset with dataset.batch(100)")
    if int(data.cardinality()) == 0:
        raise refuse("dataset: expected at least one batch, received none. Check the filters of the pipeline.")
    if condition is not None:
        _check_condition_spec(specs, condition)
    if len(specs) == 3 and not _is_numeric(specs[2], 1):
        raise refuse(
            f"sample_weight: expected numbers of shape (batch,), received {specs[2]!r}. Map it to one weight per row."
        )

    @tf.autograph.experimental.do_not_convert
    def check(*parts: Any) -> Any:
        found = [check_values(_with_event(parts[0], family), family), *parts[1:]]
        if condition is not None:
            _check_rows(found[0], found[1], "y")
            found[1] = check_inside(found[1], condition.support, "y", " for a condition")
        if len(found) == 3:
            _check_rows(found[0], found[2], "sample_weight")
            found[2] = check_inside(found[2], WEIGHTS, "sample_weight")
        return found[0] if len(found) == 1 else tuple(found)

    # One call at a time and without autotuning, whose thread can delay the end of an iterator by seconds.
    return data.map(check)


def _check_condition_spec(specs: tuple[Any, ...], condition: Condition) -> None:
    y = specs[1] if len(specs) > 1 else None
    shape = condition.shape
    if y is None or not _is_numeric(y, 1 + len(shape)) or not y.shape.is_compatible_with([None, *shape]):
        raise refuse(
            f"dataset: expected batches of (x, y) for a conditional model, y numbers of shape "
            f"{show_shape(('batch', *shape))}, received {specs!r}. Use data.load(..., with_labels=True)."
        )


def _is_numeric(spec: Any, rank: int) -> bool:
    return isinstance(spec, tf.TensorSpec) and spec.shape.rank == rank and is_number(spec.dtype)


def _with_event(x: tf.Tensor, family: Family) -> tf.Tensor:
    """Return x with its shape known, after checking the axes that the pipeline does not know."""
    if x.shape[1:].is_fully_defined():
        return x
    event = list(family.event_shape)
    known = assert_text(
        tf.reduce_all(tf.equal(tf.shape(x)[1:], event)),
        f"x: expected examples of shape {show_shape(event)}, received ",
        tf.strings.reduce_join(tf.strings.as_string(tf.shape(x)[1:]), separator=" × "),
        ". Use data of the likelihood's event_shape.",
    )
    with tf.control_dependencies([known]):
        return tf.ensure_shape(x, [x.shape[0], *event])


def _check_rows(x: tf.Tensor, other: tf.Tensor, name: str) -> None:
    rows, found = tf.shape(x)[0], tf.shape(other)[0]
    parts = (f"{name}: expected one row per x, ", rows, ", received ", found, f". Pass one {name} per row.")
    assert_text(tf.equal(rows, found), *parts)


class GuardedPyDataset(keras.utils.PyDataset):
    """A PyDataset that checks the batches of another one."""

    def __init__(self, inner: keras.utils.PyDataset, family: Family, condition: Condition | None) -> None:
        super().__init__(inner.workers, inner.use_multiprocessing, inner.max_queue_size)
        self.inner = inner
        self.family = family
        self.condition = condition

    def __len__(self) -> int:
        return len(self.inner)

    @property
    def num_batches(self) -> int | None:
        """Return the number of batches of an epoch, or None if there is no end."""
        return self.inner.num_batches

    def __getitem__(self, index: int) -> Any:
        batch = self.inner[index]
        parts = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
        return _guarded_batch(parts, "PyDataset", self.family, self.condition)

    def on_epoch_begin(self) -> None:
        """Tell the other one."""
        self.inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Tell the other one."""
        self.inner.on_epoch_end()


def guarded_batches(batches: Iterable[Any], family: Family, condition: Condition | None) -> Iterator[tuple[Any, ...]]:
    """Yield the batches of a generator, checked; Keras requires tuples.

    Raises:
        ValueError: If a batch is not a tuple of x, y and sample weights, or as `checked_arrays`.
    """
    for batch in batches:
        if not isinstance(batch, tuple):
            raise refuse(
                f"generator: expected tuples (x,), (x, y) or (x, y, sample_weight), received a "
                f"{type(batch).__name__}. Yield (x,) for x alone."
            )
        yield _guarded_batch(batch, "generator", family, condition)


def is_loader(data: Any) -> bool:
    """Return whether Keras reads it as a loader of PyTorch or Grain, judged by names so that neither is imported."""
    names = ("DataLoader", "MapDataset", "IterDataset")
    kinds = [kind for kind in type(data).__mro__ if kind.__name__ in names]
    return any(kind.__module__.startswith(("torch.", "grain.")) for kind in kinds)


def guarded_loader(loader: Any, family: Family, condition: Condition | None) -> tf.data.Dataset:
    """Return a dataset of another library's batches, checked as they flow.

    Raises:
        ValueError: If there are no batches, or as `checked_arrays` for the first one.
    """

    def batches() -> Iterator[tuple[Any, ...]]:
        for batch in loader:
            parts = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
            yield _guarded_batch(parts, type(loader).__name__, family, condition)

    first = next(batches(), None)
    if first is None:
        raise refuse(f"{type(loader).__name__}: expected at least one batch, received none. Check its data.")
    specs = tuple(tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in first)
    dataset = tf.data.Dataset.from_generator(batches, output_signature=specs)
    try:
        count = len(loader)
    except TypeError:  # a stream
        return dataset
    return dataset.apply(tf.data.experimental.assert_cardinality(count))


def _guarded_batch(parts: tuple[Any, ...], kind: str, family: Family, condition: Condition | None) -> tuple[Any, ...]:
    if not 1 <= len(parts) <= 3:
        raise refuse(f"{kind}: expected batches of {_FORMS}, received {len(parts)} parts. Yield one of these.")
    x, y, weight = (*parts, None, None)[:3]
    return checked_arrays(x, y, weight, family, condition, "batches of (x, y)")[: len(parts)]
