"""The density of the aggregate posterior, q(z) = 1/M Σ_m q(z|x_m)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.utils.compiled import compiled

# Pairs of z and reference compared in one piece, times the size of z: about 16 MB per tensor.
_VALUES = 2**22
_REFERENCES = 1024

# From some references and z, `[n, references, *latent]`, to log q(z|x) of each pair, `[n, references]`.
LogDensity = Callable[[Any, tf.Tensor], tf.Tensor]


def log_aggregate(
    log_density: LogDensity,
    references: Any,
    z: np.ndarray,
    *,
    own: np.ndarray,
    left_out: np.ndarray,
    verbose: bool = True,
) -> np.ndarray:
    """Return log q(z_i) for z_i ~ q(z|x_i), where x_i's own posterior is always one of the M in q(z).

    Args:
        log_density: The posterior's log-density, as `LogDensity` says.
        references: What the posterior of each of M examples is made of, such as its parameters: a nest of arrays
            `[M, ...]`.
        z: `[n, *latent]`.
        own: log q(z_i|x_i), `[n]`.
        left_out: Index of the reference that x_i replaces, `[n]`: x_i itself, if it is one of them.
        verbose: Whether to show a progress bar.

    Returns:
        `[n]`, in nats.

    Example:
        >>> import keras_vae as kv
        >>> log_density = lambda parameters, z: kv.families.Normal(1).distribution(parameters).log_prob(z)
        >>> both = {"loc": np.float32([[0], [100]]), "scale": np.float32([[1], [1]])}
        >>> own = -0.5 * np.log(2 * np.pi) * np.ones(1)  # at 0, far from the other one
        >>> z, first = np.zeros([1, 1], "float32"), np.zeros(1, int)
        >>> log_q = log_aggregate(log_density, both, z, own=own, left_out=first, verbose=False)
        >>> float((log_q - own).round(4)[0])  # −log 2: each has half the weight
        -0.6931
    """
    count = len(tf.nest.flatten(references)[0])
    at_once = min(count, _REFERENCES)
    rows = max(1, _VALUES // (at_once * math.prod(z.shape[1:])))

    @compiled
    def log_sum(given: Any, latents: tf.Tensor, without: tf.Tensor) -> tf.Tensor:
        some = tf.shape(tf.nest.flatten(given)[0])[0]
        pairs = tf.concat([tf.shape(latents)[:1], [some], tf.shape(latents)[1:]], 0)
        densities = log_density(given, tf.broadcast_to(latents[:, None], pairs))
        others = tf.range(some)[None] != without[:, None]
        return tf.reduce_logsumexp(tf.where(others, densities, tf.cast(-math.inf, densities.dtype)), axis=1)

    total = own.astype(np.float64)
    starts = [(row, first) for first in range(0, count, at_once) for row in range(0, len(z), rows)]
    for row, first in tqdm(starts, desc="aggregate posterior", unit="chunk", disable=not verbose):
        part = slice(row, row + rows)
        chunk = slice(first, first + at_once)
        some = tf.nest.map_structure(lambda value, chunk=chunk: tf.constant(value[chunk]), references)
        found = log_sum(some, tf.constant(z[part]), tf.constant(left_out[part] - first, tf.int32))
        total[part] = np.logaddexp(total[part], found.numpy())
    return total - math.log(count)
