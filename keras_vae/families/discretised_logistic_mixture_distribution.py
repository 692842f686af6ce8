"""The distribution of images whose pixels are mixtures of discretised logistics."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.families.support import GREY_LEVELS

TOP = 255.0

# A rank-1 lattice (Korobov): point q is q (1, a, a²)/256 mod 1, centred. Of all a, 71 has the least discrepancy.
_POINTS = 256
_LATTICE = (np.outer(np.arange(_POINTS), [1, 71, 71**2]) % _POINTS + 0.5) / _POINTS


class DiscretisedLogisticMixtureDistribution(tfd.Distribution):
    """Images of levels k/255: see `DiscretisedLogisticMixture`, which makes it.

    Args:
        logits: Of the components, `[..., height, width, K]`.
        loc: Locations in units of the data, `[..., height, width, channels, K]`.
        scale: Scales in units of the data, same shape.
        coefficients: For three channels: of red in green, red in blue and green in blue,
            `[..., height, width, 3, K]`.
        name: Of the distribution.

    Example:
        >>> p = DiscretisedLogisticMixtureDistribution(
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
        name: str = "DiscretisedLogisticMixture",
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
        return tf.where(tf.reduce_all(GREY_LEVELS.contains(x), axis=-1), pixels, float("-inf"))

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
        component_seed, noise_seed = tfp.random.split_seed(seed, n=2, salt="discretised_logistic_mixture")
        chosen = tfd.OneHotCategorical(logits=self.logits, dtype=self.dtype).sample(n, seed=component_seed)

        def choose(values: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(chosen[..., tf.newaxis, :] * values, axis=-1, keepdims=True)

        loc, scale = choose(self.loc), choose(self.scale)
        coefficients = None if self.coefficients is None else choose(self.coefficients)
        noise = tfd.Logistic(tf.zeros([], self.dtype), 1.0).sample(tf.shape(loc), seed=noise_seed)
        return tf.squeeze(_colours(loc, scale, coefficients, noise), axis=-1)

    def _mean(self) -> tf.Tensor:
        # The rounded weights of components and levels may sum to slightly more than 1.
        return tf.minimum(self._expectation(lambda x: x), 1.0)

    def _variance(self) -> tf.Tensor:
        mean = self._mean()[..., tf.newaxis]
        return self._expectation(lambda x: tf.math.squared_difference(x, mean))

    def _stddev(self) -> tf.Tensor:
        return tf.sqrt(self._variance())

    def _expectation(self, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Return E[function(x)] of each value, `[..., height, width, channels]`.

        Exact for one channel: a sum over levels. For three, an average over colours at the lattice's quantiles.
        One point at a time, as all together would take 256 times the memory.
        """
        if self.coefficients is None:
            points = tf.range(TOP + 1, dtype=self.dtype)

            def at(point: tf.Tensor) -> tf.Tensor:
                return tf.exp(self._log_masses(tf.reshape(point, [1, 1]))) * function(point / TOP)

        else:
            points = tf.constant(np.log(_LATTICE / (1 - _LATTICE))[..., np.newaxis], self.dtype)

            def at(point: tf.Tensor) -> tf.Tensor:
                return function(_colours(self.loc, self.scale, self.coefficients, point)) / _POINTS

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


def _colours(loc: tf.Tensor, scale: tf.Tensor, coefficients: tf.Tensor | None, noise: tf.Tensor) -> tf.Tensor:
    """Return levels k/255 made of standard logistic noise, `[..., channels, 1 or K]`."""
    channels = loc.shape[-2]
    x = tf.zeros_like(loc)
    # Each round settles one more channel, as it depends on those before it alone.
    for _ in range(channels):
        x = _locations(loc, coefficients, x) + scale * noise
        x = tf.round(tf.clip_by_value(x, 0.0, 1.0) * TOP) / TOP
    return x
