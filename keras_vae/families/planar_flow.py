"""The planar flow family, for latents."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from keras_vae.families.base import Parameters
from keras_vae.families.normal_flow import NormalFlow
from keras_vae.flows.planar import Planar


@keras.saving.register_keras_serializable("keras_vae")
class PlanarFlow(NormalFlow):
    """A normal pushed through planar maps z ← z + û tanh(wᵀz + b), whose u, w and b come from the encoder.

    Rezende & Mohamed (2015), equations 10 to 13: "amortized" maps; the family has no weights. The density
    of any z takes the solution of one scalar equation per map. `mean` and `scale` are estimates: see `NormalFlow`.

    Args:
        event_shape: D, the number of latents.
        flows: K, the number of maps.

    Raises:
        ValueError: If the event is not a vector, or `flows` not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> family = PlanarFlow(2, flows=3)
        >>> family.parameters_shape  # 2 locs, 2 log-variances and 3 times 2 + 2 + 1
        (19,)
        >>> q = family.distribution(family(tf.zeros([1, 19])))  # û = 0: the normal itself
        >>> round(float(q.log_prob([[0.0, 0.0]])[0]), 4)  # −log 2π, in nats
        -1.8379
    """

    def __init__(self, event_shape: int | Sequence[int], *, flows: int = 4, **kwargs: Any) -> None:
        super().__init__(event_shape, flows=flows, **kwargs)

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """`(2D + K(2D + 1),)`: locs, log-variances, then all u, all w and all b."""
        return (2 * self.size + self.flows * (2 * self.size + 1),)

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return `loc` and `scale`, each `[..., D]`, `u` and `w`, each `[..., K, D]`, and `b`, `[..., K]`."""
        vectors = self.flows * self.size
        base, u, w, b = tf.split(unconstrained, [2 * self.size, vectors, vectors, self.flows], axis=-1)
        shape = tf.concat([tf.shape(b), [self.size]], 0)
        return {**self.base(base), "u": tf.reshape(u, shape), "w": tf.reshape(w, shape), "b": b}

    def bijector(self, parameters: Parameters) -> tfb.Bijector:
        """Return the maps in a chain."""
        u, w, b = parameters["u"], parameters["w"], parameters["b"]
        return tfb.Chain([Planar(u[..., k, :], w=w[..., k, :], b=b[..., k]) for k in reversed(range(self.flows))])
