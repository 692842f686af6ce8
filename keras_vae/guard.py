"""Refusing data that the likelihood gives no probability to, before it spoils a model."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.families.base import Family
from keras_vae.families.support import Support

# Marks our message inside the error that tf.data wraps around it.
_MARK = "keras_vae refuses this data: "


def guarded(data: Any, family: Family) -> Any:
    """Return `data` with every batch checked against the likelihood's event shape and support.

    Arrays are checked at once; a `tf.data.Dataset` is checked batch by batch as it flows, so that a bad value
    late in an epoch is found too. Anything else (generators, distributed datasets) passes unchecked.

    Args:
        data: Arrays `[n, *event]`, or a batched dataset of x, (x, y) or (x, y, weight).
        family: The likelihood's family.

    Returns:
        The data, x as floats.

    Raises:
        ValueError: If there are no examples, or x has another shape or dtype, or values outside the support
            (for a dataset raised as it flows: see `clear_errors`).
    """
    if isinstance(data, tf.data.Dataset):
        spec = data.element_spec
        if isinstance(spec, tuple | list) and not spec:
            raise ValueError(f"{_MARK}the dataset's elements are empty tuples; wanted x or (x, y)")
        x_spec = spec[0] if isinstance(spec, tuple | list) else spec
        if not isinstance(x_spec, tf.TensorSpec):
            raise ValueError(f"{_MARK}the dataset's elements must be x, (x, y) or (x, y, weight); received {spec!r}")
        _check_shape(x_spec.shape, x_spec.dtype, family)
        if int(data.cardinality()) == 0:
            raise ValueError(f"{_MARK}the dataset is empty; wanted at least one batch")
        return data.map(
            lambda *parts: _replace_x(parts, _check_values(parts[0], family)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    if isinstance(data, np.ndarray | tf.Tensor):
        _check_shape(data.shape, tf.as_dtype(data.dtype), family)
        if data.shape[0] == 0:
            raise ValueError(f"{_MARK}the array is empty, shape {tuple(data.shape)}; wanted at least one example")
        with clear_errors():
            return _check_values(tf.convert_to_tensor(data), family)
    return data


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


def _replace_x(parts: tuple[Any, ...], x: tf.Tensor) -> Any:
    return x if len(parts) == 1 else (x, *parts[1:])


def _check_shape(shape: Any, dtype: tf.DType, family: Family) -> None:
    wanted = ("batch", *family.event_shape)
    shape = tf.TensorShape(shape)
    if not shape.is_compatible_with([None, *family.event_shape]):
        hint = ""
        if shape.rank is not None and [*shape.as_list()[1:], 1] == list(family.event_shape):
            hint = ". Add the channel axis: x[..., None]"
        elif shape.rank is not None and shape.as_list() == list(family.event_shape):
            hint = ". Batch the dataset: dataset.batch(100)"
        raise ValueError(f"{_MARK}x has shape {_show(shape)}; wanted {_show(wanted)}{hint}")
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise ValueError(f"{_MARK}x has dtype {dtype.name}; wanted numbers, such as float32")


def _check_values(x: tf.Tensor, family: Family) -> tf.Tensor:
    support: Support = family.support
    x = tf.cast(x, family.variable_dtype)
    inside = support.contains(x)
    # The offending value is looked for only when there is one.
    tf.cond(
        tf.reduce_all(inside),
        lambda: tf.no_op(),
        lambda: tf.debugging.Assert(False, [_refusal(x, inside, family)], summarize=1),
    )
    return x


def _refusal(x: tf.Tensor, inside: tf.Tensor, family: Family) -> tf.Tensor:
    outside = tf.boolean_mask(x, tf.logical_not(inside))
    return tf.strings.join(
        [
            _MARK,
            "found the value ",
            tf.strings.as_string(outside[0]),
            f"; a {type(family).__name__} likelihood wants {family.support.wanted}. {family.support.advice}",
        ]
    )


def _show(shape: Any) -> str:
    dims = [str(d) if d is not None else "None" for d in shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"
