"""The Bernoulli family, for binary data."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.bernoulli_distribution import LogitsBernoulli
from keras_vae.families.support import BINARY


@keras.saving.register_keras_serializable("keras_vae")
class Bernoulli(Family):
    """Independent Bernoulli elements, parametrised by logits.

    log p(x|z) = Σ_d x_d log ρ_d + (1 − x_d) log(1 − ρ_d), ρ = sigmoid(logits): the negative of binary
    cross-entropy summed over elements (Kingma & Welling 2014, appendix C.1, equation 11).

    The support is {0, 1}. Grey pixels are not in it: see `ContinuousBernoulli`.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.

    Example:
        >>> import tensorflow as tf
        >>> family = Bernoulli((2,))
        >>> p = family.distribution(family(tf.zeros([1, 2, 1])))
        >>> round(float(p.log_prob([[0.0, 1.0]])[0]), 4)  # 2 log ½, in nats
        -1.3863
    """

    support = BINARY
    parameters_per_element = 1

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the logits, `[..., *event]`."""
        return {"logits": tf.squeeze(unconstrained, axis=-1)}

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        return self.independent(LogitsBernoulli(parameters["logits"], self.variable_dtype))

    def point(self, parameters: Parameters) -> tf.Tensor:
        """Return the more probable value of each element, 0 or 1."""
        return tf.cast(parameters["logits"] > 0, parameters["logits"].dtype)
