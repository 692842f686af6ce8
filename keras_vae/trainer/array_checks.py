"""Checks of whole arrays: x, y and sample weights, of one batch or of a data set."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.families.base import Family
from keras_vae.trainer.value_checks import (
    WEIGHTS,
    check_inside,
    check_shape,
    check_values,
    clear_errors,
    read,
    refuse,
)
from keras_vae.utils.arrays import show_shape

_SLICE = 1024


def checked_arrays(
    x: Any, y: Any, weight: Any, family: Family, condition: Condition | None, how: str
) -> tuple[Any, Any, Any]:
    """Return x, y and sample weights as NumPy arrays or tensors, with every value checked.

    Args:
        x: `[n, *event]`.
        y: `[n, ...]`, the condition of a conditional model; otherwise anything with n rows, or None.
        weight: `[n]`, or None.
        family: The likelihood's family.
        condition: The condition, or None.
        how: How to pass y, for the message.

    Raises:
        ValueError: If one cannot be read, has another shape or dtype, or a value outside its support.
    """
    x = _checked_x(x, family)
    if condition is not None:
        y = _checked_condition(y, x.shape[0], condition, how)
    elif y is not None:
        y = _checked_rows(y, x.shape[0])
    return x, y, None if weight is None else _checked_weight(weight, x.shape[0])


def _checked_x(x: Any, family: Family) -> Any:
    x = read(x, "x", lists=False)
    check_shape(x.shape, x.dtype, family)
    if x.shape[0] == 0:
        raise refuse(f"x: expected at least one example, received shape {tuple(x.shape)}. Pass examples.")
    # In slices and on the host, because a copy of the whole array may be too large.
    with clear_errors(), tf.device("CPU:0"):
        for start in range(0, x.shape[0], _SLICE):
            check_values(tf.convert_to_tensor(x[start : start + _SLICE]), family)
    return x


def _checked_condition(y: Any, count: int, condition: Condition, how: str) -> np.ndarray:
    if y is None:
        raise refuse(f"y: expected the condition of a conditional model, received none. Use {how}.")
    shape, advice = (count, *condition.shape), condition.support.advice
    y = np.asarray(read(y, "y"))
    if y.shape != shape:
        advice = "Pass y[:, 0]" if y.shape == (*shape, 1) else advice
        raise refuse(f"y: expected shape {show_shape(shape)}, received {show_shape(y.shape)}. {advice}.")
    with clear_errors(), tf.device("CPU:0"):
        check_inside(tf.convert_to_tensor(y), condition.support, "y", " for a condition")
    return y.astype(condition.dtype.as_numpy_dtype)


def _checked_rows(y: Any, count: int) -> Any:
    """Return a y that this model ignores: it must have one row per example, as Keras requires."""
    if isinstance(y, tf.Variable | keras.Variable):
        y = tf.convert_to_tensor(y)
    if not isinstance(y, tf.Tensor):
        kind, y = type(y).__name__, _loose_array(y)
        # Keras reads objects if all are strings.
        if y is None or (y.dtype == object and not all(isinstance(entry, str) for entry in y.ravel())):
            raise refuse(f"y: expected one array, received a {kind}. Leave y out, since this model ignores it.")
    if len(y.shape) == 0 or y.shape[0] != count:
        raise refuse(
            f"y: expected one row per x, {count}, received shape {show_shape(y.shape)}. Leave y out, or pass as many."
        )
    return y


def _loose_array(y: Any) -> np.ndarray | None:
    if not (isinstance(y, list | tuple) or hasattr(y, "__array__")):
        return None
    try:
        return np.asarray(y)
    except Exception:  # any library's __array__, and lists of rows of different lengths
        return None


def _checked_weight(weight: Any, count: int) -> Any:
    weight = read(weight, "sample_weight")
    if tuple(weight.shape) != (count,):
        advice = "Pass sample_weight[:, 0]" if tuple(weight.shape) == (count, 1) else "Pass one weight per row of x"
        raise refuse(
            f"sample_weight: expected shape {show_shape((count,))}, received {show_shape(weight.shape)}. {advice}."
        )
    with clear_errors(), tf.device("CPU:0"):
        check_inside(tf.convert_to_tensor(weight), WEIGHTS, "sample_weight")
    return weight
