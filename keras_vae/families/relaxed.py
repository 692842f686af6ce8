"""What relaxed families share: a temperature, and samples that are continuous in training only."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_vae.families.base import Family, Parameters
from keras_vae.schedules.base import as_schedule, deserialize, serialize
from keras_vae.utils.arguments import one_line


class Relaxed(Family):
    """A discrete family whose training samples are continuous and carry a gradient.

    Put it before the discrete family among the base classes, as `GumbelSoftmax(Relaxed, OneHotCategorical)` does.

    Args:
        event_shape: As the discrete family takes it.
        temperature: τ, a positive number or a schedule.
        straight_through: Whether the decoder sees discrete values whose gradient is that of the continuous ones.

    Raises:
        ValueError: If the temperature is neither a positive number nor a schedule.
    """

    relaxed = True
    preprocessing: tuple[str, ...] = ()  # for latents only

    def __init__(
        self, event_shape: int | Sequence[int], *, temperature: Any = 1.0, straight_through: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(event_shape, **kwargs)
        self.temperature = deserialize(temperature)
        name = f"{type(self).__name__}: temperature"
        as_schedule(self.temperature, name)
        if self.temperature == 0:
            raise ValueError(
                f"{name}: expected a positive number, received {one_line(self.temperature)}. Use 0.5, for example."
            )
        self.straight_through = bool(straight_through)

    def soft_sample(
        self, parameters: Parameters, num_samples: int, seed: tf.Tensor, temperature: tf.Tensor
    ) -> tf.Tensor:
        """Draw continuous samples, `[num_samples, ..., *event]`."""
        raise NotImplementedError

    def harden(self, soft: tf.Tensor) -> tf.Tensor:
        """Return the discrete values nearest to continuous samples."""
        raise NotImplementedError

    def relaxed_sample(self, parameters: Parameters, num_samples: int, seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Draw from the relaxation; see `Family.relaxed_sample`."""
        dtype = tf.nest.flatten(parameters)[0].dtype
        temperature = tf.cast(as_schedule(self.temperature, "temperature")(step), dtype)
        soft = self.soft_sample(parameters, num_samples, seed, temperature)
        return straighten(soft, self.harden(soft)) if self.straight_through else soft

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "temperature": serialize(self.temperature),
            "straight_through": self.straight_through,
        }


def straighten(soft: tf.Tensor, hard: tf.Tensor) -> tf.Tensor:
    """Return the values of `hard` with the gradient of `soft` (Bengio, Léonard & Courville 2013).

    Example:
        >>> float(straighten(tf.constant(0.7), tf.constant(1.0)))
        1.0
    """
    # The bracket is exactly zero, so that the values are exactly those of `hard`.
    return tf.stop_gradient(hard) + (soft - tf.stop_gradient(soft))
