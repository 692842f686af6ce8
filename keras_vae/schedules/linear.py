"""A straight line, then a constant: KL warm-up."""

from typing import Any

import keras
import tensorflow as tf

from keras_vae.schedules.base import non_negative
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class Linear(keras.optimizers.schedules.LearningRateSchedule):
    """Changes from `start` to `end` in a straight line over the first `steps` steps, then stays at `end`.

    value(t) = start + (end − start) min(t/steps, 1). From 0 to 1, as the weight of the KL, it is the warm-up of
    Sønderby et al. (2016); Bowman et al. (2016) raise the same weight along a sigmoid.

    Args:
        start: The value at step 0.
        end: The value from step `steps` on; above or below `start`.
        steps: The number of training steps (batches, not epochs) of the change.

    Call arguments:
        step: The training step, an integer scalar; the first is 0.

    Returns:
        The value, a float32 scalar.

    Raises:
        ValueError: If `start` or `end` is not a non-negative finite number, or `steps` is not a positive integer.

    Example:
        >>> warm_up = Linear(0.0, 1.0, steps=100)
        >>> float(warm_up(25)), float(warm_up(5000))
        (0.25, 1.0)
    """

    def __init__(self, start: float, end: float, *, steps: int) -> None:
        self.start = non_negative(start, "Linear: start")
        self.end = non_negative(end, "Linear: end")
        self.steps = positive_integer(steps, "Linear: steps")

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the value at a step."""
        progress = tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)
        # Weighting both ends reaches each of them exactly.
        return self.start * (1.0 - progress) + self.end * progress

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"start": self.start, "end": self.end, "steps": self.steps}
