"""The Bernoulli family with relaxed gradients, for binary latents."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Parameters
from keras_vae.families.bernoulli import Bernoulli
from keras_vae.families.relaxation import read_temperature, straighten
from keras_vae.schedules.base import as_schedule, serialize


@keras.saving.register_keras_serializable("keras_vae")
class RelaxedBernoulli(Bernoulli):
    """Binary latents whose training samples are z = sigmoid((logits + l)/τ), l ~ Logistic(0, 1).

    Maddison, Mnih & Teh (2017), appendix B; the Gumbel-softmax of Jang, Gu & Poole (2017) with two categories.
    As with `GumbelSoftmax`, only training draws relaxed samples.

    Args:
        event_shape: Number of latents, such as 200.
        temperature: τ, a positive number or a schedule.
        straight_through: Whether the decoder sees 0 and 1, the gradient being the relaxed one's.

    Raises:
        ValueError: If the shape or the temperature is refused.

    Example:
        >>> import tensorflow as tf
        >>> family = RelaxedBernoulli(2, temperature=0.5, straight_through=True)
        >>> z = family.relaxed_sample({"logits": tf.zeros([1, 2])}, 1, tf.constant([1, 2]), tf.constant(0))
        >>> set(z.numpy().ravel().tolist()) <= {0.0, 1.0}
        True
    """

    relaxed = True

    def __init__(
        self, event_shape: int | Sequence[int], temperature: Any = 1.0, straight_through: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(event_shape, **kwargs)
        self.temperature = read_temperature(temperature, "RelaxedBernoulli: temperature")
        self.straight_through = bool(straight_through)

    def relaxed_sample(self, parameters: Parameters, num_samples: int, seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Draw from the relaxation; see `Family.relaxed_sample`."""
        logits = parameters["logits"]
        temperature = tf.cast(as_schedule(self.temperature, "temperature")(step), logits.dtype)
        # What tfd.RelaxedBernoulli draws; but its sigmoid has a NaN gradient above 88, where a cold τ takes it.
        soft = tf.sigmoid(tfd.Logistic(logits / temperature, 1.0 / temperature).sample(num_samples, seed=seed))
        return straighten(soft, tf.round(soft)) if self.straight_through else soft

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "temperature": serialize(self.temperature),
            "straight_through": self.straight_through,
        }
