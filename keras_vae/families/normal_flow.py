"""The base class of flow posteriors: a normal pushed through an invertible map."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
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

    A flow's moments have no closed form. `mean` and `scale` are estimates: the mean and the standard deviation of f
    over max(64, 4D) fixed points with the base's own mean and covariance. They are exact if f is affine. For curved
    maps they are approximations: tests/families/test_planar_flow.py has a flow of 8 latents whose mean is found to 0.08
    standard deviations. `point` is f(loc), which takes one pass: it represents the distribution, but is not its mean.

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
        """Return the mean over fixed points, `[..., D]`, an estimate if f is not affine."""
        return tf.reduce_mean(self._spread(parameters), axis=0)

    def scale(self, parameters: Parameters) -> tf.Tensor:
        """Return the standard deviation over fixed points, `[..., D]`, an estimate if f is not affine."""
        return tf.math.reduce_std(self._spread(parameters), axis=0)

    def point(self, parameters: Parameters) -> tf.Tensor:
        """Return f(loc), `[..., D]`."""
        return self.bijector(parameters).forward(parameters["loc"])

    def _spread(self, parameters: Parameters) -> tf.Tensor:
        """Return f at each point, `[points, ..., D]`."""
        loc, points = parameters["loc"], standard_points(self.size)
        steps = tf.constant(points.reshape(len(points), *[1] * (loc.shape.rank - 1), self.size), loc.dtype)
        return self.bijector(parameters).forward(loc + steps * parameters["scale"])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "flows": self.flows}


@functools.cache
def standard_points(size: int) -> np.ndarray:
    """Return max(64, 4D) points of a standard normal, `[points, D]`, with mean 0 and covariance I up to rounding.

    Args:
        size: D.

    Example:
        >>> points = standard_points(3)
        >>> points.shape, bool(np.allclose(points.T @ points / 64, np.eye(3)))
        ((64, 3), True)
    """
    # RandomState's numbers are the same in every version of NumPy. Each point has its mirror image, hence mean 0.
    half = np.random.RandomState(0).normal(size=[max(32, 2 * size), size])
    factor = np.linalg.cholesky(half.T @ half / len(half))
    half = np.linalg.solve(factor, half.T).T
    return np.concatenate([half, -half])
