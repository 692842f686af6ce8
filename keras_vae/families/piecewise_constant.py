"""The piecewise constant family, for latents in [0, 1]."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.support import UNIT_INTERVAL
from keras_vae.utils.arguments import positive_integer

# Masses differ by a factor of up to e²⁰; float32 noise, in steps of e⁻¹⁶, would not reach a smaller one.
MAX_LOGIT = 10.0


@keras.saving.register_keras_serializable("keras_vae")
class PiecewiseConstant(Family):
    """Independent elements on [0, 1] with constant density on each of n equal intervals.

    p(z) = n π_i for i/n ≤ z < (i+1)/n, with π = softmax(logits): Serban, Ororbia, Pineau & Courville (2017), whose
    a_i is proportional to π_i. Samples come from the inverse distribution function, as in that paper. An element can
    have several modes. `keras_vae.priors.Uniform` is the natural prior, with a KL in closed form.

    As a posterior, it can be trained through its samples only if the KL has a closed form: the density jumps where
    pieces meet, and a gradient along samples misses the jumps. Other objectives need a score-function estimator.

    The logits are bounded smoothly by c·tanh(u/c) with c = 10, so that no gradient of a sample overflows.

    Args:
        event_shape: Shape of one event: the number of latents.
        pieces: n, the number of intervals.

    Raises:
        ValueError: If `pieces` is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> family = PiecewiseConstant(1, pieces=2)
        >>> q = family.distribution(family(tf.math.log([[[3.0, 1.0]]])))  # masses near ¾ and ¼
        >>> [round(float(q.prob([[z]])[0]), 2) for z in (0.2, 0.7)]
        [1.5, 0.5]
    """

    support = UNIT_INTERVAL
    jumps = True

    def __init__(self, event_shape: int | Sequence[int], *, pieces: int = 5, **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        self.parameters_per_element = self.pieces = positive_integer(pieces, "PiecewiseConstant: pieces")

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the bounded `logits` of the pieces, `[..., *event, n]`."""
        return {"logits": MAX_LOGIT * tf.tanh(unconstrained / MAX_LOGIT)}

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        return self.independent(PiecewiseConstantDistribution(parameters["logits"]))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "pieces": self.pieces}


class PiecewiseConstantDistribution(tfd.Distribution):
    """Numbers in [0, 1] with density n π_i on the i-th of n equal intervals; see `PiecewiseConstant`.

    Args:
        logits: Finite logits of the intervals, `[..., n]`; π = softmax(logits).
        name: The distribution's name.

    Example:
        >>> p = PiecewiseConstantDistribution(tf.math.log([0.75, 0.25]))
        >>> round(float(p.prob(0.2)), 4), round(float(p.cdf(0.5)), 4), round(float(p.mean()), 4)
        (1.5, 0.75, 0.375)
    """

    def __init__(self, logits: tf.Tensor, name: str = "PiecewiseConstant") -> None:
        parameters = dict(locals())
        self.logits = tf.convert_to_tensor(logits)
        super().__init__(
            dtype=self.logits.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @property
    def pieces(self) -> int:
        """n, the number of intervals."""
        return int(self.logits.shape[-1])

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        return {"logits": tfp.util.ParameterProperties(event_ndims=1)}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([], tf.int32)

    @property
    def _log_densities(self) -> tf.Tensor:
        return tf.nn.log_softmax(self.logits) + math.log(self.pieces)

    @property
    def _masses(self) -> tf.Tensor:
        # On some CPUs tf.nn.softmax refuses more than five axes.
        return tf.exp(tf.nn.log_softmax(self.logits))

    @property
    def _midpoints(self) -> tf.Tensor:
        return (tf.range(self.pieces, dtype=self.dtype) + 0.5) / self.pieces

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        # Clipped first, because numbers beyond the range of integers cannot be cast.
        piece = tf.cast(tf.clip_by_value(self.pieces * z, 0.0, self.pieces - 1.0), tf.int32)
        return tf.where((z >= 0.0) & (z <= 1.0), self._at(piece, self._log_densities), float("-inf"))

    def _at(self, piece: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Return `values`, `[..., n]`, at each index; both broadcast, which `tf.gather` does not."""
        return tf.reduce_sum(tf.one_hot(piece, self.pieces, dtype=self.dtype) * values, axis=-1)

    def _cdf(self, z: tf.Tensor) -> tf.Tensor:
        lower_edges = self._midpoints - 0.5 / self.pieces
        filled = tf.clip_by_value(self.pieces * (z[..., tf.newaxis] - lower_edges), 0.0, 1.0)
        return tf.reduce_sum(filled * self._masses, axis=-1)

    def _quantile(self, p: tf.Tensor) -> tf.Tensor:
        masses = self._masses
        below = tf.cumsum(masses, axis=-1, exclusive=True)
        piece = tf.reduce_sum(tf.cast(p[..., tf.newaxis] >= below[..., 1:], tf.int32), axis=-1)
        # Rounding may leave the part of the piece just outside [0, 1].
        part = tf.clip_by_value((p - self._at(piece, below)) / self._at(piece, masses), 0.0, 1.0)
        return (tf.cast(piece, self.dtype) + part) / self.pieces

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        noise = tfd.Uniform(tf.zeros([], self.dtype), 1.0).sample(shape, seed=seed)
        return self._quantile(noise)

    def _mean(self) -> tf.Tensor:
        return tf.reduce_sum(self._masses * self._midpoints, axis=-1)

    def _variance(self) -> tf.Tensor:
        between = tf.math.squared_difference(self._midpoints, self._mean()[..., tf.newaxis])
        return tf.reduce_sum(self._masses * between, axis=-1) + 1.0 / (12.0 * self.pieces**2)

    def _stddev(self) -> tf.Tensor:
        return tf.sqrt(self._variance())

    def _entropy(self) -> tf.Tensor:
        return -tf.reduce_sum(self._masses * self._log_densities, axis=-1)


@tfd.RegisterKL(PiecewiseConstantDistribution, PiecewiseConstantDistribution)
def _kl(p: PiecewiseConstantDistribution, q: PiecewiseConstantDistribution, name: str | None = None) -> tf.Tensor:
    """Return KL(p ‖ q) = Σ_i π_i (log π_i − log ρ_i), `[...]`, in nats, for equal numbers of pieces."""
    if p.pieces != q.pieces:
        raise NotImplementedError(
            f"KL: expected equal numbers of pieces, received {p.pieces} and {q.pieces}. Use the same pieces"
        )
    with tf.name_scope(name or "kl_piecewise_constant"):
        return tf.reduce_sum(p._masses * (p._log_densities - q._log_densities), axis=-1)
