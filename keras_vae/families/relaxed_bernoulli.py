"""The Bernoulli family with relaxed gradients, for binary latents."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Parameters
from keras_vae.families.bernoulli import Bernoulli
from keras_vae.families.relaxed import Relaxed


@keras.saving.register_keras_serializable("keras_vae")
class RelaxedBernoulli(Relaxed, Bernoulli):
    """Binary latents whose training samples are z = sigmoid((logits + l)/τ), l ~ Logistic(0, 1).

    Maddison, Mnih & Teh (2017), appendix B; the Gumbel-softmax of Jang, Gu & Poole (2017) with two categories.
    As in `GumbelSoftmax`, only training draws relaxed samples.

    Args:
        event_shape: Number of latents, such as 200.
        temperature: τ, a positive number or a schedule.
        straight_through: Whether the decoder sees 0 and 1, with the gradient of the relaxed values.

    Raises:
        ValueError: If the shape or the temperature is invalid.

    Example:
        >>> import tensorflow as tf
        >>> family = RelaxedBernoulli(2, temperature=0.5, straight_through=True)
        >>> z = family.relaxed_sample({"logits": tf.zeros([1, 2])}, 1, tf.constant([1, 2]), tf.constant(0))
        >>> set(z.numpy().ravel().tolist()) <= {0.0, 1.0}
        True
    """

    def soft_sample(
        self, parameters: Parameters, num_samples: int, seed: tf.Tensor, temperature: tf.Tensor
    ) -> tf.Tensor:
        """Draw numbers in (0, 1), `[num_samples, ..., *event]`."""
        logits = parameters["logits"]
        # The same draws as tfd.RelaxedBernoulli, whose sigmoid has a NaN gradient above 88, reached with a small τ.
        return tf.sigmoid(tfd.Logistic(logits / temperature, 1.0 / temperature).sample(num_samples, seed=seed))

    def harden(self, soft: tf.Tensor) -> tf.Tensor:
        """Return 0 or 1."""
        return tf.round(soft)
