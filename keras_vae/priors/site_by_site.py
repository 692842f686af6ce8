"""Distributions that are sampled one site at a time."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from keras_vae.utils.seeds import fold_in


class SiteBySite(tfd.Distribution):
    """p(z) = Π_i p(z_i | z_<i), given a function that returns all conditionals together.

    A density takes one call of the function, and a sample one call per site. Unlike TFP's `tfd.Autoregressive`, it has
    static shapes.

    Args:
        conditionals: Maps z, `[..., *event]`, to a distribution with batch shape `[...]` and event shape `[*event]`,
            whose site i depends only on the sites before i.
        event_shape: Shape of z.
        sites_shape: Shape of the sites: the first axes of the event.
        dtype: The dtype of z.
        reparameterization_type: The reparameterization type of the conditionals.

    Example:
        >>> def conditionals(z):  # the first element is the mean of the second
        ...     return tfd.Independent(tfd.Normal(tf.stack([0 * z[..., 0], z[..., 0]], axis=-1), 1.0), 1)
        >>> p = SiteBySite(conditionals, (2,), (2,), "float32", tfd.FULLY_REPARAMETERIZED)
        >>> round(float(p.log_prob([1.0, 1.0])), 4)  # −½ − log 2π, in nats
        -2.3379
    """

    def __init__(
        self,
        conditionals: Callable[[tf.Tensor], tfd.Distribution],
        event_shape: tuple[int, ...],
        sites_shape: tuple[int, ...],
        dtype: str,
        reparameterization_type: tfd.ReparameterizationType,
    ) -> None:
        parameters = dict(locals())
        self._conditionals = conditionals
        self._shape_of_event = event_shape
        self._sites_shape = sites_shape
        super().__init__(
            dtype=tf.as_dtype(dtype),
            reparameterization_type=reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name="SiteBySite",
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        return {}

    def _batch_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape(self._shape_of_event)

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant(self._shape_of_event, tf.int32)

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        return self._conditionals(value).log_prob(value)

    def _sample_n(self, n: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        seed = tfp_random.sanitize_seed(seed, salt="SiteBySite")
        sites = tf.TensorShape(self._sites_shape).num_elements()
        values_axes = len(self._shape_of_event) - len(self._sites_shape)
        numbers = tf.reshape(tf.range(sites), [*self._sites_shape, *[1] * values_axes])

        def draw_site(site: tf.Tensor, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            drawn = self._conditionals(z).sample(seed=fold_in(seed, site))
            return site + 1, tf.ensure_shape(tf.where(numbers == site, drawn, z), z.shape)

        start = tf.zeros(tf.concat([[n], self._shape_of_event], 0), self.dtype)
        _, z = tf.while_loop(lambda *_: True, draw_site, (tf.constant(0), start), maximum_iterations=sites)
        return z
