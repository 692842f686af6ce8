"""Helpers of all flows: bounded log-scales, vector events, widths of hidden layers."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_vae.utils.arguments import one_line, positive_integer

# A flow may scale an element by exp(±5) per step. Without a limit one extreme step overflows in training.
MAX_LOG_SCALE = 5.0


def soft_bound(x: tf.Tensor, limit: float = MAX_LOG_SCALE) -> tf.Tensor:
    """Return limit · tanh(x / limit): the identity near zero, and within ±`limit` everywhere.

    Args:
        x: Any shape.
        limit: Positive.

    Example:
        >>> [round(float(soft_bound(x, 5.0)), 3) for x in (0.1, 1e6, -1e6)]
        [0.1, 5.0, -5.0]
    """
    return limit * tf.tanh(x / limit)


def vector_size(event_shape: tuple[int, ...], owner: str) -> int:
    """Return the number of elements of a vector event.

    Raises:
        ValueError: If the event is not a vector.

    Example:
        >>> vector_size((20,), "RealNVP")
        20
    """
    if len(event_shape) != 1:
        raise ValueError(
            f"{owner}: expected event_shape to be a number of latents, because its maps act on vectors, received "
            f"{event_shape}. Use 20 or (20,), for example."
        )
    return event_shape[0]


def read_widths(hidden: Any, owner: str) -> tuple[int, ...]:
    """Read a sequence of widths; it may be empty.

    Raises:
        ValueError: If it is not a sequence of positive integers.

    Example:
        >>> read_widths([64, 64], "MADE")
        (64, 64)
    """
    if not isinstance(hidden, Sequence) or isinstance(hidden, str):
        raise ValueError(
            f"{owner}: expected hidden to be a sequence of widths, received {one_line(hidden)}. Use (64,), for example."
        )
    return tuple(positive_integer(width, f"{owner}: each width in hidden") for width in hidden)
