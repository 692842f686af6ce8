"""The mixture of discretized logistics, for 8-bit images."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.support import GRAY_LEVELS
from keras_vae.utils.arguments import positive_integer
from keras_vae.utils.deprecation import also_loads

# The authors' code keeps log-scales, of values in [-1, 1], above −7: a tenth of a gray level.
MAX_LOG_SCALE = 7.0


@also_loads("DiscretisedLogisticMixture")
@keras.saving.register_keras_serializable("keras_vae")
class DiscretizedLogisticMixture(Family):
    """Pixels of independent mixtures of discretized logistics, for 8-bit images scaled to levels k/255.

    p(k) = Σ_i π_i [σ((k + ½ − m_i)/s_i) − σ((k − ½ − m_i)/s_i)] in gray levels k, where 0 and 255 include the
    tails (Salimans, Karpathy, Chen & Kingma 2017, "PixelCNN++", equations 1 and 2). The channels of a pixel
    share the component i; given it, green's location is linear in red and blue's in red and green (equation 3),
    with coefficients tanh(u). It is the log of a probability, not of a density.

    Zeros give locations at mid-gray and scales of half the range. Log-scales are bounded smoothly by c·tanh(u/c) with
    c = 7, because clipping would stop the gradient.

    `mean` and `scale` are exact for gray images. For RGB they are approximate: averages over 256 colors at the
    quantiles of a lattice instead of all 256³. The error is less than one gray level.

    Args:
        event_shape: `(height, width, 1)`, gray, or `(height, width, 3)`, RGB.
        components: K, the number of logistics in each mixture.

    Raises:
        ValueError: If `event_shape` is anything else, or `components` is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> family = DiscretizedLogisticMixture((8, 8, 3))
        >>> family.parameters_shape
        (8, 8, 50)
        >>> p = family.distribution(family(tf.zeros([2, 8, 8, 50])))
        >>> p.log_prob(tf.zeros([2, 8, 8, 3])).shape
        TensorShape([2])
    """

    support = GRAY_LEVELS
    preprocessing = ("gray", "dynamic", "static")

    def __init__(self, event_shape: Sequence[int], *, components: int = 5, **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        if len(self.event_shape) != 3 or self.event_shape[2] not in (1, 3):
            raise ValueError(
                f"{type(self).__name__}: expected event_shape (height, width, 1) or (height, width, 3), received "
                f"{event_shape!r}. For other data use keras_vae.families.GrayLevels."
            )
        self.components = positive_integer(components, f"{type(self).__name__}: components")

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """`(height, width, 3K)` for gray, `(height, width, 10K)` for RGB: weights, then each channel's values."""
        height, width, channels = self.event_shape
        return (height, width, self.components * (1 + self._kinds * channels))

    @property
    def _kinds(self) -> int:
        """The number of values per channel and component: location, scale and, for RGB, a coefficient."""
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
        return DiscretizedLogisticMixtureDistribution(**parameters)

    def log_prob_by_part(self, distribution: tfd.Distribution, x: tf.Tensor) -> tf.Tensor:
        """Return the log-probability of each pixel, `[..., height, width]`: a pixel's channels belong together."""
        return distribution.log_prob_by_pixel(x)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "components": self.components}


TOP = 255.0

# A rank-1 lattice (Korobov): point q is q (1, a, a²)/256 mod 1, centered. Of all a, 71 has the least discrepancy.
_POINTS = 256
_LATTICE = (np.outer(np.arange(_POINTS), [1, 71, 71**2]) % _POINTS + 0.5) / _POINTS


class DiscretizedLogisticMixtureDistribution(tfd.Distribution):
    """The distribution of images with levels k/255; see `DiscretizedLogisticMixture`.

    Args:
        logits: The logits of the components, `[..., height, width, K]`.
        loc: Locations in units of the data, `[..., height, width, channels, K]`.
        scale: Scales in units of the data, same shape.
        coefficients: For three channels, those of red in green, red in blue and green in blue,
            `[..., height, width, 3, K]`.
        name: The distribution's name.

    Example:
        >>> p = DiscretizedLogisticMixtureDistribution(
        ...     logits=tf.zeros([1, 1, 2]), loc=tf.fill([1, 1, 1, 2], 0.5), scale=tf.fill([1, 1, 1, 2], 0.1)
        ... )
        >>> round(float(p.mean()[0, 0, 0]), 4)
        0.5
    """

    def __init__(
        self,
        logits: tf.Tensor,
        loc: tf.Tensor,
        scale: tf.Tensor,
        coefficients: tf.Tensor | None = None,
        name: str = "DiscretizedLogisticMixture",
    ) -> None:
        parameters = dict(locals())
        self.logits = tf.convert_to_tensor(logits)
        self.loc = tf.convert_to_tensor(loc)
        self.scale = tf.convert_to_tensor(scale)
        self.coefficients = None if coefficients is None else tf.convert_to_tensor(coefficients)
        super().__init__(
            dtype=self.loc.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        properties = tfp.util.ParameterProperties
        return {
            "logits": properties(event_ndims=3),
            "loc": properties(event_ndims=4),
            "scale": properties(event_ndims=4),
            "coefficients": properties(event_ndims=4),
        }

    def _event_shape(self) -> tf.TensorShape:
        return self.loc.shape[-4:-1]

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.shape(self.loc)[-4:-1]

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self.log_prob_by_pixel(x), axis=[-2, -1])

    def log_prob_by_pixel(self, x: tf.Tensor) -> tf.Tensor:
        """Return the log-probability of each pixel, `[..., height, width]`, in nats; pixels are independent."""
        # A pixel's channels share the component.
        log_masses = tf.reduce_sum(self._log_masses(tf.round(TOP * x)[..., tf.newaxis]), axis=-2)
        pixels = tf.reduce_logsumexp(tf.nn.log_softmax(self.logits) + log_masses, axis=-1)
        return tf.where(tf.reduce_all(GRAY_LEVELS.contains(x), axis=-1), pixels, float("-inf"))

    def _log_masses(self, levels: tf.Tensor) -> tf.Tensor:
        """Return the components' log-masses of levels `[..., channels, 1]` from 0 to 255: `[..., channels, K]`.

        log(σ(a) − σ(b)) = log σ(a) + log σ(−b) + log(1 − exp(b − a)) loses no digits, a − b being known.
        """
        loc = TOP * _locations(self.loc, self.coefficients, levels / TOP)
        width = 1.0 / (TOP * self.scale)
        below_upper_edge = tf.where(levels < TOP, tf.math.log_sigmoid((levels + 0.5 - loc) * width), 0.0)
        above_lower_edge = tf.where(levels > 0.0, tf.math.log_sigmoid((loc - levels + 0.5) * width), 0.0)
        between = tf.where((levels > 0.0) & (levels < TOP), tfp.math.log1mexp(width), 0.0)
        return below_upper_edge + above_lower_edge + between

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        component_seed, noise_seed = tfp.random.split_seed(seed, n=2, salt="discretized_logistic_mixture")
        chosen = tfd.OneHotCategorical(logits=self.logits, dtype=self.dtype).sample(n, seed=component_seed)

        def choose(values: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(chosen[..., tf.newaxis, :] * values, axis=-1, keepdims=True)

        loc, scale = choose(self.loc), choose(self.scale)
        coefficients = None if self.coefficients is None else choose(self.coefficients)
        noise = tfd.Logistic(tf.zeros([], self.dtype), 1.0).sample(tf.shape(loc), seed=noise_seed)
        return tf.squeeze(_colors(loc, scale, coefficients, noise), axis=-1)

    def _mean(self) -> tf.Tensor:
        # The rounded weights of components and levels may add up to slightly more than 1.
        return tf.minimum(self._expectation(lambda x: x), 1.0)

    def _variance(self) -> tf.Tensor:
        mean = self._mean()[..., tf.newaxis]
        return self._expectation(lambda x: tf.math.squared_difference(x, mean))

    def _stddev(self) -> tf.Tensor:
        return tf.sqrt(self._variance())

    def _expectation(self, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Return E[function(x)] of each value, `[..., height, width, channels]`.

        Exact for one channel: a sum over levels. For three, an average over colors at the lattice's quantiles.
        One point at a time, because all together would need 256 times the memory.
        """
        if self.coefficients is None:
            points = tf.range(TOP + 1, dtype=self.dtype)

            def at(point: tf.Tensor) -> tf.Tensor:
                return tf.exp(self._log_masses(tf.reshape(point, [1, 1]))) * function(point / TOP)

        else:
            points = tf.constant(np.log(_LATTICE / (1 - _LATTICE))[..., np.newaxis], self.dtype)

            def at(point: tf.Tensor) -> tf.Tensor:
                return function(_colors(self.loc, self.scale, self.coefficients, point)) / _POINTS

        total = tf.foldl(lambda sum_, point: sum_ + at(point), points, initializer=tf.zeros_like(self.loc))
        # On some CPUs tf.nn.softmax refuses more than five axes.
        weights = tf.exp(tf.nn.log_softmax(self.logits))
        return tf.reduce_sum(weights[..., tf.newaxis, :] * total, axis=-1)


def _locations(loc: tf.Tensor, coefficients: tf.Tensor | None, x: tf.Tensor) -> tf.Tensor:
    """Return each channel's location given the channels before it: equation 3 of Salimans et al. (2017)."""
    if coefficients is None:
        return loc
    red, green = x[..., 0, :] - 0.5, x[..., 1, :] - 0.5
    red_in_green, red_in_blue, green_in_blue = tf.unstack(coefficients, axis=-2)
    in_green, in_blue = red_in_green * red, red_in_blue * red + green_in_blue * green
    return loc + tf.stack([tf.zeros_like(in_green), in_green, in_blue], axis=-2)


def _colors(loc: tf.Tensor, scale: tf.Tensor, coefficients: tf.Tensor | None, noise: tf.Tensor) -> tf.Tensor:
    """Turn standard logistic noise into levels k/255, `[..., channels, 1 or K]`."""
    channels = loc.shape[-2]
    x = tf.zeros_like(loc)
    # Each pass determines one more channel, because it depends only on those before it.
    for _ in range(channels):
        x = _locations(loc, coefficients, x) + scale * noise
        x = tf.round(tf.clip_by_value(x, 0.0, 1.0) * TOP) / TOP
    return x
