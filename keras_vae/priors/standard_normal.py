"""The standard normal prior."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.priors.base import Posterior, Prior


@keras.saving.register_keras_serializable("keras_vae")
class StandardNormal(Prior):
    """p(z) = N(0, I) (Kingma & Welling 2014, section 3).

    Args:
        event_shape: Shape of one latent, such as 20.

    Example:
        >>> prior = StandardNormal(2)
        >>> round(float(prior.distribution().log_prob([0.0, 0.0])), 4)  # −log 2π, in nats
        -1.8379
    """

    @property
    def standard_normal(self) -> Sequence[str]:
        """All groups."""
        return self.groups

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return N(0, I)."""
        zeros = tf.zeros(self.event_shape, self.variable_dtype)
        return tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), len(self.event_shape))
