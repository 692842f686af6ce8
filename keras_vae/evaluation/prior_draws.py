"""Samples of p(z), and of p(z|y)."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd


def draw(prior: tfd.Distribution, samples: Sequence[Any], count: Any, seed: tf.Tensor) -> tf.Tensor:
    """Draw z, `[*samples, count, *latent]`; a prior given y has the rows of y already, and their count.

    Args:
        prior: `VAE.prior_distribution`.
        samples: Shape of the samples for each row.
        count: How many rows.
        seed: A stateless seed.

    Example:
        >>> prior = tfd.MultivariateNormalDiag(tf.zeros(2))
        >>> given = tfd.MultivariateNormalDiag(tf.zeros([3, 2]))
        >>> [draw(p, [5], 3, tf.constant([1, 2])).shape for p in (prior, given)]
        [TensorShape([5, 3, 2]), TensorShape([5, 3, 2])]
    """
    return prior.sample([*samples] if prior.batch_shape.rank else [*samples, count], seed=seed)
