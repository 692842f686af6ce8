"""The categorical family with Gumbel-softmax gradients."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Parameters
from keras_vae.families.one_hot_categorical import OneHotCategorical
from keras_vae.families.relaxed import Relaxed


@keras.saving.register_keras_serializable("keras_vae")
class GumbelSoftmax(Relaxed, OneHotCategorical):
    """Categorical latents whose training samples are z = softmax((logits + g)/τ), g ~ Gumbel(0, 1).

    Jang, Gu & Poole (2017), equation 2; Maddison, Mnih & Teh (2017), equation 10. The distribution itself remains
    discrete: the KL is that of the categorical variables, and evaluation, the log-likelihood and exported models draw
    exact one-hot samples. The `bound` reported during training uses relaxed samples, so it is not a bound on
    log p(x); the `bound` from `evaluate` is.

    Args:
        event_shape: `(variables, categories)`, such as `(20, 10)`.
        temperature: τ, a positive number or a schedule such as
            `keras_vae.schedules.Exponential(1.0, 0.5, steps=30_000)`.
        straight_through: Whether the decoder sees one-hot vectors, with the gradient of the relaxed ones (Jang,
            Gu & Poole 2017, section 2.2; Bengio, Léonard & Courville 2013).

    Raises:
        ValueError: If the shape or the temperature is invalid.

    Example:
        >>> import tensorflow as tf
        >>> family = GumbelSoftmax((1, 3), temperature=0.1)
        >>> z = family.relaxed_sample({"logits": tf.zeros([1, 1, 3])}, 1, tf.constant([1, 2]), tf.constant(0))
        >>> z.shape, round(float(tf.reduce_sum(z)), 4)
        (TensorShape([1, 1, 1, 3]), 1.0)
    """

    def soft_sample(
        self, parameters: Parameters, num_samples: int, seed: tf.Tensor, temperature: tf.Tensor
    ) -> tf.Tensor:
        """Draw points of the simplex, `[num_samples, ..., variables, categories]`."""
        relaxation = tfd.RelaxedOneHotCategorical(temperature, logits=parameters["logits"])
        return relaxation.sample(num_samples, seed=seed)

    def harden(self, soft: tf.Tensor) -> tf.Tensor:
        """Return the largest category of each variable, one-hot."""
        return tf.one_hot(tf.argmax(soft, axis=-1), self.event_shape[1], dtype=soft.dtype)
