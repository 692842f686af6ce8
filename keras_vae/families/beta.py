"""The beta family, for data between 0 and 1."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.support import OPEN_UNIT_INTERVAL

# At log(κ/2) = 10 and mean ½ the standard deviation is 0.0024, less than an 8-bit gray level; a larger κ would
# cost float32 its digits.
MAX_VALUE = 10.0


@keras.saving.register_keras_serializable("keras_vae")
class Beta(Family):
    """Independent beta elements, for values strictly between 0 and 1 such as dequantized pixels.

    p(x|α, β) = x^(α − 1) (1 − x)^(β − 1) / B(α, β), parameterized by its mean μ = α/(α + β) and concentration
    κ = α + β (Ferrari & Cribari-Neto 2004, equation 4).

    The unconstrained values are the logit of μ and log(κ/2), so that zeros give the uniform distribution. Both are
    bounded smoothly by c·tanh(u/c) with c = 10, because clipping would stop the gradient.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.

    Example:
        >>> import tensorflow as tf
        >>> family = Beta((3,))
        >>> p = family.distribution(family(tf.zeros([1, 3, 2])))  # α = β = 1: the uniform distribution
        >>> abs(float(p.log_prob([[0.1, 0.5, 0.9]])[0])) < 1e-6
        True
    """

    support = OPEN_UNIT_INTERVAL
    preprocessing = ("dequantized",)
    parameters_per_element = 2

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return `concentration1`, α = μκ, and `concentration0`, β = (1 − μ)κ, each `[..., *event]`."""
        bounded = MAX_VALUE * tf.tanh(unconstrained / MAX_VALUE)
        logit, concentration = bounded[..., 0], 2.0 * tf.exp(bounded[..., 1])
        return {
            "concentration1": tf.sigmoid(logit) * concentration,
            "concentration0": tf.sigmoid(-logit) * concentration,
        }

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `concentration1` and `concentration0`."""
        return self.independent(_OpenBeta(**parameters))


class _OpenBeta(tfd.Beta):
    """A beta distribution on the open interval.

    TFP's beta distribution includes 0 and 1. Its log-density uses xlogy, whose gradient is wrongly zero at α = 1 and
    β = 1, and its samples may round to 0 and 1.
    """

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        alpha, beta = self.concentration1, self.concentration0
        return (alpha - 1) * tf.math.log(x) + (beta - 1) * tf.math.log1p(-x) - tfp.math.lbeta(alpha, beta)

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        limits = np.finfo(self.dtype.as_numpy_dtype)
        return tf.clip_by_value(super()._sample_n(n, seed=seed), limits.tiny, 1 - limits.epsneg)
