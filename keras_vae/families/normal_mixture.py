"""The family of mixtures of normals, for latents."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.normal import MAX_LOG_VARIANCE
from keras_vae.families.support import REAL
from keras_vae.flows.base import vector_size
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class NormalMixture(Family):
    """A mixture of K diagonal normals, Σ_k π_k N(loc_k, diag(scale_k²)).

    The choice of a sample's component is not differentiable. Samples have implicit gradients instead: the derivative
    of the inverse of the conditional distribution functions, z_i given z_1 … z_(i−1) (Figurnov, Mohamed & Mnih 2018;
    Graves 2016). They are unbiased for weights, means and scales. Only the first derivative exists, its variance grows
    with the distance between components, and it takes D backward passes for D latents.

    Args:
        event_shape: D, the number of latents; a vector. The unconstrained values are `[K + 2KD]`.
        components: K.

    Raises:
        ValueError: If the event is not a vector, or `components` is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> family = NormalMixture(1, components=2)
        >>> q = family.distribution(family(tf.constant([[0.0, 0.0, -3.0, 3.0, 0.0, 0.0]])))  # at −3 and 3, scale 1
        >>> round(float(q.log_prob([[3.0]])[0]), 4)  # log(½ N(0|0, 1)), in nats
        -1.6121
    """

    support = REAL

    def __init__(self, event_shape: int | Sequence[int], *, components: int = 5, **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        self.size = vector_size(self.event_shape, "NormalMixture")
        self.components = positive_integer(components, "NormalMixture: components")

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """Shape of the unconstrained values of one event: K logits, KD means and KD log-variances."""
        return (self.components * (1 + 2 * self.size),)

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return `logits`, `[..., K]`, `loc` and `scale`, each `[..., K, D]`."""
        per_component = self.components * self.size
        logits, loc, log_variance = tf.split(unconstrained, [self.components, per_component, per_component], axis=-1)
        matrix = tf.concat([tf.shape(logits), [self.size]], axis=0)
        log_variance = tf.clip_by_value(log_variance, -MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
        return {
            "logits": logits,
            "loc": tf.reshape(loc, matrix),
            "scale": tf.reshape(tf.exp(0.5 * log_variance), matrix),
        }

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `logits`, `loc` and `scale`."""
        return tfd.MixtureSameFamily(
            tfd.Categorical(logits=parameters["logits"]),
            self.independent(tfd.Normal(parameters["loc"], parameters["scale"])),
            reparameterize=True,
        )

    def moved(self, parameters: Parameters, offset: tf.Tensor, unit: tf.Tensor) -> Parameters:
        """Return the parameters of offset + unit · event."""
        return {**parameters, "loc": offset + unit * parameters["loc"], "scale": unit * parameters["scale"]}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "components": self.components}
