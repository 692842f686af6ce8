"""Repeated warm-up: the cyclical weight of the KL."""

from typing import Any

import keras
import tensorflow as tf

from keras_vae.schedules.base import non_negative
from keras_vae.utils.arguments import one_line, positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class Cyclical(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from `low` to `high` in a straight line at the start of every period, then stays at `high`.

    value(t) = low + (high − low) min(τ/rising, 1) with τ = mod(t, period)/period, for steps counted from 0
    (Fu et al. 2019, equation 6, where T/M is `period`, R is `rising` and t is counted from 1).

    Args:
        low: The value at the start of every period.
        high: The value at its end.
        period: Training steps (batches, not epochs) in one period.
        rising: The part of a period in which the value changes, in (0, 1].

    Call arguments:
        step: The training step, an integer scalar; the first is 0.

    Returns:
        The value, a float32 scalar.

    Raises:
        ValueError: If `low` or `high` is not a non-negative finite number, `period` is not a positive integer or
            `rising` is not in (0, 1].

    Example:
        >>> beta = Cyclical(period=100)
        >>> [float(beta(step)) for step in (0, 25, 50, 99, 100)]
        [0.0, 0.5, 1.0, 1.0, 0.0]
    """

    def __init__(self, low: float = 0.0, high: float = 1.0, *, period: int, rising: float = 0.5) -> None:
        self.low = non_negative(low, "Cyclical: low")
        self.high = non_negative(high, "Cyclical: high")
        self.period = positive_integer(period, "Cyclical: period")
        self.rising = non_negative(rising, "Cyclical: rising")
        if not 0 < self.rising <= 1:
            raise ValueError(
                f"Cyclical: rising: expected a fraction of the period, in (0, 1], received {one_line(rising)}. "
                "Use 0.5, for "
                "example."
            )

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the value at a step."""
        # The remainder in integers: float32 cannot tell steps beyond 2²⁴ apart.
        position = tf.cast(tf.math.floormod(tf.cast(step, tf.int64), self.period), tf.float32)
        progress = tf.minimum(position / (self.rising * self.period), 1.0)
        # Weighting both ends reaches each of them exactly.
        return self.low * (1.0 - progress) + self.high * progress

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"low": self.low, "high": self.high, "period": self.period, "rising": self.rising}
