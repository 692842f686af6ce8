"""The continuous Bernoulli family, for data in [0, 1]."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.support import UNIT_INTERVAL

# Loaiza-Ganem & Cunningham (2019) keep λ within [1e-4, 1 − 1e-4]. Without bounds, the density of a pixel that is
# always black would grow without limit.
MAX_LOGIT = math.log((1 - 1e-4) / 1e-4)


@keras.saving.register_keras_serializable("keras_vae")
class ContinuousBernoulli(Family):
    """Independent continuous Bernoulli elements, for gray values in [0, 1].

    p(x|λ) = C(λ) λˣ (1 − λ)¹⁻ˣ with C(λ) = 2 artanh(1 − 2λ)/(1 − 2λ), C(½) = 2
    (Loaiza-Ganem & Cunningham 2019, section 3). λ is not the mean; use `mean`.

    The logits of λ are bounded smoothly by c·tanh(u/c) so that λ stays within [1e-4, 1 − 1e-4] as in the paper,
    because clipping would stop the gradient.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.

    Example:
        >>> import tensorflow as tf
        >>> family = ContinuousBernoulli((3,))
        >>> p = family.distribution(family(tf.zeros([1, 3, 1])))  # λ = ½: the uniform distribution
        >>> abs(float(p.log_prob([[0.1, 0.5, 0.9]])[0])) < 1e-6
        True
    """

    support = UNIT_INTERVAL
    preprocessing = ("dequantized", "gray", "dynamic", "static")
    parameters_per_element = 1

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the bounded logits of λ, `[..., *event]`."""
        return {"logits": MAX_LOGIT * tf.tanh(tf.squeeze(unconstrained, axis=-1) / MAX_LOGIT)}

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        logits = parameters["logits"]
        return self.independent(tfd.ContinuousBernoulli(logits=logits, dtype=logits.dtype))
