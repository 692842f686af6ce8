"""Numbers that may be constant or follow a schedule: validation and serialization."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from keras_vae.utils.arguments import one_line

Schedule = Callable[[tf.Tensor], tf.Tensor]

MAX_FLOAT32 = float(tf.float32.max)


def non_negative(value: Any, name: str) -> float:
    """Return a number ≥ 0 within the range of float32, from a Python or NumPy number.

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> non_negative(-1, "Linear: start")
        Traceback (most recent call last):
        ...
        ValueError: Linear: start: expected a non-negative finite number, received -1. Use 0.0, for example.
    """
    if not _is_non_negative(value):
        raise ValueError(
            f"{name}: expected a non-negative finite number, received {one_line(value)}. Use 0.0, for example."
        )
    return float(value)


def as_schedule(value: Any, name: str) -> Schedule:
    """Return a number or a schedule as a function of the training step.

    Args:
        value: A non-negative finite number, which stays constant, or a schedule: one of `keras_vae.schedules`
            or any other `keras.optimizers.schedules.LearningRateSchedule`.
        name: The owner and the argument, for error messages, such as `"ELBO: beta"`.

    Returns:
        A function from the step, an integer scalar, to the value at that step, a scalar: float32 of a schedule, and
        float64 of a number, so that models in float64 lose none of its digits.

    Raises:
        ValueError: If `value` is neither.

    Example:
        >>> import tensorflow as tf
        >>> beta = as_schedule(4, "ELBO: beta")
        >>> float(beta(tf.constant(100)))
        4.0
    """
    if isinstance(value, LearningRateSchedule):
        return lambda step: tf.cast(value(step), tf.float32)
    if not _is_non_negative(value):
        raise ValueError(
            f"{name}: expected a non-negative finite number or a schedule, received {one_line(value)}. Use 1.0 or "
            "keras_vae.schedules.Linear(0.0, 1.0, steps=10_000), for example."
        )
    number = float(value)
    return lambda step: tf.constant(number, tf.float64)


def serialize(value: Any) -> Any:
    """Return a value for a config: a number unchanged, a schedule as Keras serializes it."""
    return keras.saving.serialize_keras_object(value) if isinstance(value, LearningRateSchedule) else value


def deserialize(value: Any) -> Any:
    """Return the number or schedule that was passed to `serialize`.

    Example:
        >>> import tensorflow as tf
        >>> from keras_vae.schedules import Linear
        >>> beta = deserialize(serialize(Linear(0.0, 1.0, steps=10)))
        >>> float(beta(tf.constant(5))), deserialize(serialize(4.0))
        (0.5, 4.0)
    """
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


def _is_non_negative(value: Any) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    # A Python float compares with integers of any size; NumPy's does not.
    return bool(0.0 <= value <= MAX_FLOAT32)  # type: ignore[operator]
