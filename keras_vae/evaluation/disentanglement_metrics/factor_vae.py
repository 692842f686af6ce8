"""The metric of the FactorVAE paper."""

from typing import Any

import numpy as np

from keras_vae.evaluation.disentanglement_metrics.groups import Groups
from keras_vae.evaluation.disentanglement_metrics.inputs import checked

_TRAIN, _TEST = 10_000, 5_000
_GROUP = 64
_AT_ONCE = 500


def factor_vae(codes: Any, factors: Any, *, seed: int = 0) -> float:
    """Return the FactorVAE metric: how well the latent that varies least tells which factor was held fixed.

    In a group of 64 rows that share the value of one factor, the latent with the least variance, in units of its
    variance over all rows, is a vote for that factor. Each latent stands for the factor that most of its 10,000 votes
    (as many for each factor) are for, and the metric is how often that is right in 5,000 others: Kim & Mnih,
    "Disentangling by factorising" (2018), its new metric. Latents that never vary take no part. Groups come from the
    given rows (see `Groups`).

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.
        seed: Of the groups.

    Returns:
        Accuracy: 1 at best, about 1/k for codes that know nothing of the factors.

    Raises:
        ValueError: If the codes or the factors are not as wanted, or no latent varies.

    Example:
        >>> factors = np.indices([4, 5]).reshape(2, -1).T
        >>> factor_vae(factors * [2.0, -0.1], factors)
        1.0
    """
    codes, factors = checked(codes, factors, "factor_vae")
    codes = codes[:, np.ptp(codes, axis=0) > 0]
    if not codes.shape[1]:
        raise ValueError("factor_vae: no latent varies; wanted codes that differ from row to row")
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    rng = np.random.default_rng(seed)
    groups = Groups(factors)
    chosen = np.argmax(_votes(codes, groups, factors.shape[1], _TRAIN, rng), axis=1)
    tested = _votes(codes, groups, factors.shape[1], _TEST, rng)
    return float(np.sum(tested[np.arange(len(chosen)), chosen]) / np.sum(tested))


def _votes(codes: np.ndarray, groups: Groups, factors: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each latent varied least while each factor was fixed, `[latents, factors]`."""
    votes = np.zeros([codes.shape[1], factors], np.int64)
    each = -(-count // factors)
    for factor in range(factors):
        for start in range(0, each, _AT_ONCE):
            rows = groups.draw(factor, min(_AT_ONCE, each - start), _GROUP, rng)
            least = np.argmin(codes[rows].var(axis=1), axis=1)
            votes[:, factor] += np.bincount(least, minlength=codes.shape[1])
    return votes
