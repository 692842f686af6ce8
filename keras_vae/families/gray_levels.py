"""The categorical family over the 256 gray levels, for 8-bit data."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.support import GRAY_LEVELS
from keras_vae.utils.deprecation import also_loads

LEVELS = 256


@also_loads("GreyLevels")
@keras.saving.register_keras_serializable("keras_vae")
class GrayLevels(Family):
    """Independent categorical elements over the 256 values k/255, parameterized by logits.

    log p(x|z) = Σ_d log softmax(logits_d)[255 x_d]: the negative of the discrete cross-entropy (van den Oord,
    Kalchbrenner & Kavukcuoglu 2016, section 2.2). It is the log of a probability, not of a
    density, so it is never positive.

    It ignores the order of the levels; `DiscretizedLogisticMixture` uses it, with far fewer parameters.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.

    Example:
        >>> import tensorflow as tf
        >>> family = GrayLevels((1,))
        >>> p = family.distribution(family(tf.zeros([1, 1, 256])))
        >>> round(float(p.log_prob([[17 / 255]])[0]), 4)  # −log 256, in nats
        -5.5452
    """

    support = GRAY_LEVELS
    preprocessing = ("gray", "dynamic", "static")
    parameters_per_element = LEVELS

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the logits, `[..., *event, 256]`."""
        return {"logits": unconstrained}

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        logits = parameters["logits"]
        levels = tf.range(LEVELS, dtype=logits.dtype) / (LEVELS - 1)
        return self.independent(_Levels(levels, logits=logits))


class _Levels(tfd.FiniteDiscrete):
    """A distribution over gray levels that finds a value's level by rounding, as the support does."""

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        valid = GRAY_LEVELS.contains(x)
        level = tf.cast(tf.round((LEVELS - 1) * tf.where(valid, x, 0.0)), tf.int32)
        return tf.where(valid, tfd.Categorical(logits=self.logits).log_prob(level), float("-inf"))

    def _mean(self) -> tf.Tensor:
        return tf.reduce_sum(self._masses() * self.outcomes, axis=-1)

    def _variance(self) -> tf.Tensor:
        deviation = self.outcomes - self._mean()[..., tf.newaxis]
        return tf.reduce_sum(self._masses() * deviation**2, axis=-1)

    def _masses(self) -> tf.Tensor:
        # On some CPUs tf.nn.softmax refuses more than five axes.
        return tf.exp(tf.nn.log_softmax(self.logits))
