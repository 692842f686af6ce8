"""Checks that data is in the likelihood's support."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.families.base import Family
from keras_vae.families.support import Support

# Marks the message inside the error that tf.data wraps around it.
_MARK = "keras_vae refuses this data: "
_SLICE = 1024


def guarded_pair(x: Any, y: Any, family: Family, condition: Condition | None) -> tuple[Any, Any]:
    """Return x, or batches, and y, checked as in `guarded`; a separate y is checked immediately."""
    if condition is None:
        return guarded(x, family), y
    if isinstance(x, np.ndarray | tf.Tensor | tf.Variable | keras.Variable):
        if y is None:
            raise ValueError(f"{_MARK}y: expected the condition of a conditional model, received none. Use fit(x, y).")
        _check_condition(np.asarray(y), x.shape[0], condition)
        y = np.asarray(y, condition.dtype.as_numpy_dtype)
        return guarded(x, family), y
    return guarded(x, family, condition), y


def guarded(data: Any, family: Family, condition: Condition | None = None) -> Any:
    """Return `data` with every value checked against the likelihood's event shape and support.

    Arrays are checked immediately. Datasets, `keras.utils.PyDataset`s and generators are checked batch by batch as they
    flow, so that a bad value late in an epoch is found too. A distributed dataset is not checked.

    Args:
        data: An array `[n, *event]`, or batches of x, (x, y) or (x, y, weight).
        family: The likelihood's family.
        condition: The condition that y belongs to, in batches of (x, y).

    Returns:
        The data.

    Raises:
        ValueError: If there are no examples, x has another shape or dtype, or values are outside the support (raised
            for a dataset as it flows; see `clear_errors`).
    """
    if isinstance(data, tf.data.Dataset):
        return _guarded_dataset(data, family, condition)
    if isinstance(data, keras.utils.PyDataset):
        return _GuardedPyDataset(data, family, condition)
    if inspect.isgenerator(data):
        return (_guarded_batch(batch, family, condition) for batch in data)
    if isinstance(data, tf.Variable | keras.Variable):
        data = tf.convert_to_tensor(data)
    if isinstance(data, list | tuple | dict):
        raise ValueError(
            f"{_MARK}x: expected one array, received a {type(data).__name__}, which Keras reads as several inputs. Use "
            "numpy.stack(x)."
        )
    if isinstance(data, np.ndarray | tf.Tensor):
        _check_array(data, family)
    return data


def checked(x: Any, family: Family) -> tf.Tensor:
    """Return x, `[batch, *event]`, in the family's dtype, with every value in its support.

    Raises:
        ValueError: If a value is not; a running graph raises an `InvalidArgumentError`. XLA cannot raise errors and
            omits the check.
    """
    if tf.executing_eagerly():
        with clear_errors():
            return _check_values(tf.convert_to_tensor(x), family)
    x = tf.cast(x, family.variable_dtype)
    inside = family.support.contains(x)
    # The first value outside, found by operations that XLA compiles; padded, since a batch may be empty.
    outside = tf.argmin(tf.concat([tf.cast(tf.reshape(inside, [-1]), tf.int32), [1]], 0))
    value = tf.concat([tf.reshape(x, [-1]), [0]], 0)[outside]
    expected = f"x: expected {family.support.expected} for a {type(family).__name__} likelihood, received"
    advice = f"{family.support.advice}."
    tf.debugging.Assert(tf.reduce_all(inside), [f"{_MARK}{expected}", value, advice], summarize=1)
    return x


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Turn the error that a guarded dataset raises deep inside TensorFlow into one clear ValueError."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        text = str(error)
        if _MARK not in text:
            raise
        message = text[text.index(_MARK) :].split("\n")[0].rstrip("\"'] ")
        raise ValueError(message.replace("\\'", "'")) from None


def _guarded_dataset(data: tf.data.Dataset, family: Family, condition: Condition | None) -> tf.data.Dataset:
    spec = data.element_spec
    x_spec = spec[0] if isinstance(spec, tuple | list) and spec else spec
    if not isinstance(x_spec, tf.TensorSpec):
        raise ValueError(
            f"{_MARK}dataset: expected elements x, (x, y) or (x, y, weight), received {spec!r}. Map it to one of these."
        )
    _check_shape(x_spec.shape, x_spec.dtype, family)
    if int(data.cardinality()) == 0:
        raise ValueError(
            f"{_MARK}dataset: expected at least one batch, received none. Check the filters of the pipeline."
        )
    if condition is not None:
        y_spec = spec[1] if isinstance(spec, tuple | list) and len(spec) > 1 else None
        if not isinstance(y_spec, tf.TensorSpec) or not y_spec.shape.is_compatible_with([None, *condition.shape]):
            raise ValueError(
                f"{_MARK}dataset: expected batches of (x, y) for a conditional model, y of shape "
                f"{_show(('batch', *condition.shape))}, received {spec!r}. Use data.load(..., with_labels=True)."
            )

    def check(*parts: Any) -> Any:
        checked = [_check_values(parts[0], family), *parts[1:]]
        if condition is not None:
            checked[1] = _check_inside(parts[1], condition.support, "y", "a condition")
        return checked[0] if len(checked) == 1 else tuple(checked)

    # One call at a time and without autotuning, whose thread can delay the end of an iterator by seconds.
    return data.map(check)


class _GuardedPyDataset(keras.utils.PyDataset):
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
        return self.inner.num_batches

    def __getitem__(self, index: int) -> Any:
        return _guarded_batch(self.inner[index], self.family, self.condition)

    def on_epoch_begin(self) -> None:
        self.inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.inner.on_epoch_end()


def _guarded_batch(batch: Any, family: Family, condition: Condition | None) -> Any:
    x = np.asarray(batch[0] if isinstance(batch, tuple) else batch)
    _check_array(x, family)
    if condition is not None:
        if not isinstance(batch, tuple) or len(batch) < 2:
            raise ValueError(f"{_MARK}batch: expected (x, y) for a conditional model, received x alone. Yield (x, y).")
        _check_condition(np.asarray(batch[1]), len(x), condition)
    return batch


def _check_condition(y: np.ndarray, count: int, condition: Condition) -> None:
    shape, advice = (count, *condition.shape), condition.support.advice
    if y.shape != shape:
        raise ValueError(f"{_MARK}y: expected shape {_show(shape)}, received {_show(y.shape)}. {advice}.")
    if y.dtype.kind not in "iufb":
        raise ValueError(f"{_MARK}y: expected numbers, received dtype {y.dtype}. {advice}.")
    with clear_errors(), tf.device("CPU:0"):
        _check_inside(tf.convert_to_tensor(y), condition.support, "y", "a condition")


def _check_array(x: Any, family: Family) -> None:
    _check_shape(x.shape, tf.as_dtype(x.dtype), family)
    if x.shape[0] == 0:
        raise ValueError(f"{_MARK}x: expected at least one example, received shape {tuple(x.shape)}. Pass examples.")
    # In slices and on the host, because a copy of the whole array may be too large.
    with clear_errors(), tf.device("CPU:0"):
        for start in range(0, x.shape[0], _SLICE):
            _check_values(tf.convert_to_tensor(x[start : start + _SLICE]), family)


def _check_shape(shape: Any, dtype: tf.DType, family: Family) -> None:
    expected = ("batch", *family.event_shape)
    shape = tf.TensorShape(shape)
    if not shape.is_compatible_with([None, *family.event_shape]):
        advice = "Use data of the likelihood's event_shape"
        if shape.rank is not None and [*shape.as_list()[1:], 1] == list(family.event_shape):
            advice = "Add the channel axis with x[..., None]"
        elif shape.rank is not None and shape.as_list() == list(family.event_shape):
            advice = "Batch the dataset with dataset.batch(100)"
        raise ValueError(f"{_MARK}x: expected shape {_show(expected)}, received {_show(shape)}. {advice}.")
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise ValueError(f"{_MARK}x: expected numbers, received dtype {dtype.name}. Convert x to float32.")


def _check_values(x: tf.Tensor, family: Family) -> tf.Tensor:
    x = tf.cast(x, family.variable_dtype)
    return _check_inside(x, family.support, "x", f"a {type(family).__name__} likelihood")


def _check_inside(values: tf.Tensor, support: Support, name: str, owner: str) -> tf.Tensor:
    inside = support.contains(values)
    # The first bad value is looked up only if there is one.
    tf.cond(
        tf.reduce_all(inside),
        lambda: tf.no_op(),
        lambda: tf.debugging.Assert(False, [_refusal(values, inside, support, name, owner)], summarize=1),
    )
    return values


def _refusal(values: tf.Tensor, inside: tf.Tensor, support: Support, name: str, owner: str) -> tf.Tensor:
    outside = tf.boolean_mask(values, tf.logical_not(inside))
    return tf.strings.join(
        [
            f"{_MARK}{name}: expected {support.expected} for {owner}, received ",
            tf.strings.as_string(outside[0], shortest=outside.dtype.is_floating),
            f". {support.advice}.",
        ]
    )


def _show(shape: Any) -> str:
    dims = [str(d) if d is not None else "None" for d in shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"
