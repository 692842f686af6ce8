"""The density of the aggregate posterior, q(z) = 1/M Σ_m q(z|x_m)."""

import math

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.families import Family

# Pairs of z and reference compared in one piece, times the size of z: about 16 MB per tensor.
_VALUES = 2**22
_REFERENCES = 1024

Arrays = dict[str, np.ndarray]


def log_aggregate(
    family: Family, references: Arrays, z: np.ndarray, *, own: np.ndarray, left_out: np.ndarray, verbose: bool = True
) -> np.ndarray:
    """Return log q(z_i) for z_i ~ q(z|x_i), where x_i's own posterior is always one of the M in q(z).

    Args:
        family: The posterior's family.
        references: Its parameters for each of M examples, `[M, ...]`.
        z: `[n, *latent]`.
        own: log q(z_i|x_i), `[n]`.
        left_out: Index of the reference that x_i replaces, `[n]`: x_i itself, if it is one of them.
        verbose: Whether to show a progress bar.

    Returns:
        `[n]`, in nats.

    Example:
        >>> import keras_vae as kv
        >>> family = kv.families.Normal(1)
        >>> both = {"loc": np.float32([[0], [100]]), "scale": np.float32([[1], [1]])}
        >>> own = -0.5 * np.log(2 * np.pi) * np.ones(1)  # at 0, far from the other one
        >>> z, first = np.zeros([1, 1], "float32"), np.zeros(1, int)
        >>> log_q = log_aggregate(family, both, z, own=own, left_out=first, verbose=False)
        >>> float((log_q - own).round(4)[0])  # −log 2: each has half the weight
        -0.6931
    """
    count = len(next(iter(references.values())))
    at_once = min(count, _REFERENCES)
    rows = max(1, _VALUES // (at_once * math.prod(z.shape[1:])))

    @tf.function(reduce_retracing=True)
    def log_sum(parameters: dict[str, tf.Tensor], latents: tf.Tensor, without: tf.Tensor) -> tf.Tensor:
        some = tf.shape(next(iter(parameters.values())))[0]
        pairs = tf.concat([tf.shape(latents)[:1], [some], tf.shape(latents)[1:]], 0)
        densities = family.distribution(parameters).log_prob(tf.broadcast_to(latents[:, None], pairs))
        others = tf.range(some)[None] != without[:, None]
        return tf.reduce_logsumexp(tf.where(others, densities, tf.cast(-math.inf, densities.dtype)), axis=1)

    total = own.astype(np.float64)
    starts = [(row, first) for first in range(0, count, at_once) for row in range(0, len(z), rows)]
    for row, first in tqdm(starts, desc="aggregate posterior", unit="chunk", disable=not verbose):
        part = slice(row, row + rows)
        some = {name: tf.constant(value[first : first + at_once]) for name, value in references.items()}
        found = log_sum(some, tf.constant(z[part]), tf.constant(left_out[part] - first, tf.int32))
        total[part] = np.logaddexp(total[part], found.numpy())
    return total - math.log(count)
