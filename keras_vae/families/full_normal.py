"""The normal family with full covariance, for latents."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.normal import MAX_LOG_VARIANCE
from keras_vae.families.support import REAL
from keras_vae.flows.base import vector_size

# Correlations of two latents reach 0.99995. Inverting L multiplies such numbers, so they need a bound.
MAX_COUPLING = 100.0


@keras.saving.register_keras_serializable("keras_vae")
class FullNormal(Family):
    """One normal vector with full covariance, N(loc, L Lᵀ).

    z = L ε + loc, ε ~ N(0, I), with L lower triangular and its diagonal σ positive (Kingma & Welling 2019,
    section 2.5.1). Unlike in that paper, row i of L is in units of σ_i,

        L = diag(σ) (I + C),

    with C strictly lower triangular: every covariance is still possible, and L stays well conditioned if a σ_i is tiny.
    The entries of C are u/D, bounded smoothly by c·tanh(u/cD) with c = 100: each z_i is a sum of up to D of them, which
    in a new network would be mostly noise. The entries of log σ are clipped at ±15.

    Args:
        event_shape: D, the number of latents; a vector. The unconstrained values are `[D + D(D+1)/2]`.

    Raises:
        ValueError: If the event is not a vector.

    Example:
        >>> import tensorflow as tf
        >>> family = FullNormal(2)
        >>> q = family.distribution(family(tf.zeros([1, 5])))  # the standard normal
        >>> round(float(q.log_prob([[0.0, 0.0]])[0]), 4)  # −log 2π, in nats
        -1.8379
    """

    support = REAL

    def __init__(self, event_shape: int | Sequence[int], **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        self.size = vector_size(self.event_shape, "FullNormal")

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """Shape of the unconstrained values of one event: D of loc, D(D+1)/2 of L."""
        return (self.size + self.size * (self.size + 1) // 2,)

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return `loc`, `[..., D]`, and `scale_tril`, L, `[..., D, D]`."""
        values = tfp.math.fill_triangular(unconstrained[..., self.size :])
        log_sigma = tf.clip_by_value(tf.linalg.diag_part(values), -MAX_LOG_VARIANCE / 2, MAX_LOG_VARIANCE / 2)
        couplings = MAX_COUPLING * tf.tanh(values / (self.size * MAX_COUPLING))
        rows = tf.linalg.set_diag(couplings, tf.ones_like(log_sigma))
        return {"loc": unconstrained[..., : self.size], "scale_tril": tf.exp(log_sigma)[..., tf.newaxis] * rows}

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `loc` and `scale_tril`."""
        return tfd.MultivariateNormalTriL(parameters["loc"], parameters["scale_tril"])

    def moved(self, parameters: Parameters, offset: tf.Tensor, unit: tf.Tensor) -> Parameters:
        """Return the parameters of offset + unit · event."""
        rows = unit[..., tf.newaxis]
        return {"loc": offset + unit * parameters["loc"], "scale_tril": rows * parameters["scale_tril"]}
