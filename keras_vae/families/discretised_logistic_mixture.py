"""The mixture of discretised logistics, for 8-bit images."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.checks import positive_integer
from keras_vae.families.base import Family, Parameters
from keras_vae.families.discretised_logistic_mixture_distribution import DiscretisedLogisticMixtureDistribution
from keras_vae.families.support import GREY_LEVELS

# The authors' code keeps log-scales, of values in [-1, 1], above −7: a tenth of a grey level.
MAX_LOG_SCALE = 7.0


@keras.saving.register_keras_serializable("keras_vae")
class DiscretisedLogisticMixture(Family):
    """Pixels of independent mixtures of discretised logistics, for 8-bit images scaled to levels k/255.

    p(k) = Σ_i π_i [σ((k + ½ − m_i)/s_i) − σ((k − ½ − m_i)/s_i)] in grey levels k, where 0 and 255 take the
    tails (Salimans, Karpathy, Chen & Kingma 2017, "PixelCNN++", equations 1 and 2). The channels of a pixel
    share the component i; given it, green's location is linear in red and blue's in red and green (equation 3),
    with coefficients tanh(u). A log-probability, in nats of a mass.

    Zeros give locations at mid-grey and scales of half the range. Log-scales are bounded smoothly, c·tanh(u/c)
    with c = 7, without the dead gradient of clipping.

    `mean` and `scale` are exact for grey images. For RGB they are approximate: averages over 256 colours, at the
    quantiles of a lattice, in place of all 256³; the error is less than a grey level.

    Args:
        event_shape: `(height, width, 1)`, grey, or `(height, width, 3)`, RGB.
        components: K, how many logistics are mixed.

    Raises:
        ValueError: If `event_shape` is another, or `components` is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> family = DiscretisedLogisticMixture((8, 8, 3))
        >>> family.parameters_shape
        (8, 8, 50)
        >>> p = family.distribution(family(tf.zeros([2, 8, 8, 50])))
        >>> p.log_prob(tf.zeros([2, 8, 8, 3])).shape
        TensorShape([2])
    """

    support = GREY_LEVELS

    def __init__(self, event_shape: Sequence[int], components: int = 5, **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        if len(self.event_shape) != 3 or self.event_shape[2] not in (1, 3):
            raise ValueError(
                f"{type(self).__name__}: event_shape must be (height, width, 1) or (height, width, 3), such as "
                f"(32, 32, 3); received {event_shape!r}. For other data use keras_vae.families.GreyLevels"
            )
        self.components = positive_integer(components, f"{type(self).__name__}: components")

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """`(height, width, 3K)` for grey, `(height, width, 10K)` for RGB: a weight, then each channel's values."""
        height, width, channels = self.event_shape
        return (height, width, self.components * (1 + self._kinds * channels))

    @property
    def _kinds(self) -> int:
        """Return how many values a channel and component take: location and scale, for RGB a coefficient too."""
        return 2 if self.event_shape[2] == 1 else 3

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the mixtures' parameters.

        Args:
            unconstrained: `[..., height, width, 3K or 10K]`.

        Returns:
            `logits`, `[..., height, width, K]`; `loc` and `scale`, in units of the data,
            `[..., height, width, channels, K]`; for RGB `coefficients`, of red in green, red in blue and green in
            blue, `[..., height, width, 3, K]`.
        """
        k = self.components
        values = tf.reshape(
            unconstrained[..., k:],
            tf.concat([tf.shape(unconstrained)[:-1], [self._kinds, self.event_shape[2], k]], 0),
        )
        values = tf.ensure_shape(values, [*unconstrained.shape[:-1], self._kinds, self.event_shape[2], k])
        parameters = {
            "logits": unconstrained[..., :k],
            "loc": 0.5 + 0.5 * values[..., 0, :, :],
            "scale": 0.5 * tf.exp(MAX_LOG_SCALE * tf.tanh(values[..., 1, :, :] / MAX_LOG_SCALE)),
        }
        if self._kinds == 3:
            parameters["coefficients"] = tf.tanh(values[..., 2, :, :])
        return parameters

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from what `call` returns."""
        return DiscretisedLogisticMixtureDistribution(**parameters)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "components": self.components}
