"""What relaxed families share."""

from typing import Any

import tensorflow as tf

from keras_vae.schedules.base import as_schedule, deserialize


def read_temperature(value: Any, name: str) -> Any:
    """Return a temperature: a positive number, or a schedule.

    Raises:
        ValueError: If it is neither.
    """
    value = deserialize(value)
    as_schedule(value, name)
    if value == 0:
        raise ValueError(f"{name} must be positive, such as 0.5; received {value!r}")
    return value


def straighten(soft: tf.Tensor, hard: tf.Tensor) -> tf.Tensor:
    """Return the values of `hard` with the gradient of `soft` (Bengio, Léonard & Courville 2013).

    Example:
        >>> float(straighten(tf.constant(0.7), tf.constant(1.0)))
        1.0
    """
    # The bracket is exactly zero, so that the values are exactly those of `hard`.
    return tf.stop_gradient(hard) + (soft - tf.stop_gradient(soft))
