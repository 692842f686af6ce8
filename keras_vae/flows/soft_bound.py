"""Keeping log-scales within limits."""

import tensorflow as tf

# A flow may scale an element by exp(±5) a step; without a limit one stray step overflows in training.
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
