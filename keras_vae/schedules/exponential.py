"""A geometric progression, then a constant: the temperature of relaxed samples."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_vae.schedules.base import non_negative
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class Exponential(keras.optimizers.schedules.LearningRateSchedule):
    """Changes from `start` to `end` by the same factor at each of the first `steps` steps, then stays at `end`.

    value(t) = start (end/start)^min(t/steps, 1). From 1 to ½, it is τ = max(½, exp(−rt)) with r = log(2)/steps,
    as Jang, Gu & Poole (2017), section 4.1, anneal the temperature of Gumbel-softmax samples.

    Args:
        start: The value at step 0.
        end: The value from step `steps` on; above or below `start`.
        steps: The number of training steps (batches, not epochs) of the change.

    Call arguments:
        step: The training step, an integer scalar; the first is 0.

    Returns:
        The value, a float32 scalar.

    Raises:
        ValueError: If `start` or `end` is not a positive finite number, or `steps` is not a positive integer.

    Example:
        >>> temperature = Exponential(1.0, 0.25, steps=100)
        >>> round(float(temperature(50)), 6), round(float(temperature(5000)), 6)
        (0.5, 0.25)
    """

    def __init__(self, start: float, end: float, *, steps: int) -> None:
        self.start = non_negative(start, "Exponential: start")
        self.end = non_negative(end, "Exponential: end")
        self.steps = positive_integer(steps, "Exponential: steps")
        if self.start == 0 or self.end == 0:
            raise ValueError(
                f"Exponential: expected positive start and end, received start={start!r}, end={end!r}. Use "
                "keras_vae.schedules.Linear to start or end at 0."
            )

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the value at a step."""
        progress = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        return tf.exp(math.log(self.start) * (1.0 - progress) + math.log(self.end) * progress)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"start": self.start, "end": self.end, "steps": self.steps}
