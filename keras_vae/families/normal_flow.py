"""The base class of flow posteriors: a normal pushed through an invertible map."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.normal import MAX_LOG_VARIANCE
from keras_vae.families.support import REAL
from keras_vae.flows.base import vector_size
from keras_vae.utils.arguments import positive_integer


class NormalFlow(Family):
    """z = f(ε), ε ~ N(loc, scale²), with f a chain of invertible maps (Rezende & Mohamed 2015, equations 6 and 7).

    A flow's moments have no closed form. `mean` is f(loc). `scale` is the standard deviation over 2D points at distance
    √D · scale along the base's axes, the third-degree cubature rule for a normal (Arasaratnam & Haykin 2009, section
    IV): exact if f is affine, and an approximation otherwise. Neither of them draws samples.

    Args:
        event_shape: D, the number of latents; a vector.
        flows: The number of maps in the chain.

    Raises:
        ValueError: If the event is not a vector, or `flows` not a positive integer.
    """

    support = REAL

    def __init__(self, event_shape: int | Sequence[int], *, flows: int, **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        self.size = vector_size(self.event_shape, type(self).__name__)
        self.flows = positive_integer(flows, f"{type(self).__name__}: flows")

    def base(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the base's `loc` and `scale`, each `[..., D]`, from `[..., 2D]`: loc, then log-variance."""
        loc, log_variance = tf.split(unconstrained, 2, axis=-1)
        return {"loc": loc, "scale": tf.exp(0.5 * tf.clip_by_value(log_variance, -MAX_LOG_VARIANCE, MAX_LOG_VARIANCE))}

    def bijector(self, parameters: Parameters) -> tfb.Bijector:
        """Return f."""
        raise NotImplementedError

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution of f(ε)."""
        base = self.independent(tfd.Normal(parameters["loc"], parameters["scale"]))
        return tfd.TransformedDistribution(base, self.bijector(parameters))

    def mean(self, parameters: Parameters) -> tf.Tensor:
        """Return f(loc), `[..., D]`, which is not the mean if f is not affine."""
        return self.bijector(parameters).forward(parameters["loc"])

    def scale(self, parameters: Parameters) -> tf.Tensor:
        """Return the standard deviation by cubature, `[..., D]`."""
        loc = parameters["loc"]
        axes = self.size**0.5 * tf.eye(self.size, dtype=loc.dtype)
        steps = tf.reshape(axes, [self.size, *[1] * (loc.shape.rank - 1), self.size]) * parameters["scale"]
        points = tf.concat([loc + steps, loc - steps], axis=0)
        return tf.math.reduce_std(self.bijector(parameters).forward(points), axis=0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "flows": self.flows}
