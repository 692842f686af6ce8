"""Disentanglement by classifying which factor was held fixed: the β-VAE and FactorVAE metrics."""

from typing import Any

import numpy as np

from keras_vae.evaluation.latents.disentanglement_metrics.inputs import checked, numbered
from keras_vae.utils.arguments import seed_number
from keras_vae.utils.seeds import generator

# Points to learn from and to be scored on, as many for each factor.
_TRAIN, _TEST = 10_000, 5_000
# Pairs of rows behind a point of β-VAE's classifier, and rows in a group of FactorVAE's.
_PAIRS = _GROUP = 64
_AT_ONCE = 500


class Groups:
    """Draws groups of rows that share the value of one factor.

    The value is that of a random row, and the rows of the group are drawn from all rows with that value, independently
    and with replacement. On a full grid of factors this equals a simulator that fixes one factor and draws the others;
    in other data the other factors follow their distribution given that value.

    Args:
        factors: `[n, k]` integers.
    """

    def __init__(self, factors: np.ndarray) -> None:
        self._values, sizes = numbered(factors)
        self._order = np.argsort(self._values, axis=0, kind="stable")
        self._counts = [np.bincount(column, minlength=size) for column, size in zip(self._values.T, sizes, strict=True)]

    def draw(self, column: int, groups: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows, `[groups, size]`; those of a group share the value of the factor in `column`.

        Example:
            >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
            >>> rows = Groups(factors).draw(0, groups=2, size=8, rng=np.random.default_rng(0))
            >>> rows.shape, np.ptp(factors[rows, 0], axis=1).tolist()
            ((2, 8), [0, 0])
        """
        counts = self._counts[column]
        value = self._values[rng.integers(len(self._values), size=[groups, 1]), column]
        first = np.cumsum(counts) - counts
        return self._order[first[value] + rng.integers(counts[value], size=[groups, size]), column]


def beta_vae(codes: Any, factors: Any, *, seed: int = 0) -> float:
    """Return the β-VAE metric: how well a linear classifier can tell from the codes which factor was fixed.

    A point is the mean of |z₁ − z₂| over 64 pairs of rows that share the value of one factor, and its class is that
    factor: Higgins et al., "β-VAE: learning basic visual concepts with a constrained variational framework" (2017),
    section 3. Logistic regression learns from 10,000 points, as many for each factor, and its accuracy is that on
    5,000 others. Differences are scaled to unit variance first, so that a latent's scale does not matter. Pairs come
    from the given rows (see `Groups`).

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.
        seed: Seed of the pairs.

    Returns:
        Accuracy: 1 at best, about 1/k for codes that know nothing about the factors. It is also 1 where a factor is
        spread over several latents that no other factor uses.

    Raises:
        ValueError: If the codes or the factors have another shape or kind.

    Example:
        >>> factors = np.indices([4, 5]).reshape(2, -1).T
        >>> beta_vae(factors * [2.0, -0.1], factors)
        1.0
    """
    from sklearn.linear_model import LogisticRegression  # slow to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    seed = seed_number(seed, "beta_vae")
    codes, factors = checked(codes, factors, "beta_vae")
    rng = generator(seed, "beta_vae")
    groups = Groups(factors)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(*_points(codes, groups, factors.shape[1], _TRAIN, rng))
    return float(classifier.score(*_points(codes, groups, factors.shape[1], _TEST, rng)))


def _points(
    codes: np.ndarray, groups: Groups, factors: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean differences, `[points, latents]`, and the factor that was fixed, `[points]`."""
    points, fixed = [], []
    each = -(-count // factors)
    for factor in range(factors):
        for start in range(0, each, _AT_ONCE):
            size = min(_AT_ONCE, each - start)
            pairs = codes[groups.draw(factor, size * _PAIRS, 2, rng)]
            difference = np.abs(pairs[:, 0] - pairs[:, 1])
            points.append(difference.reshape(size, _PAIRS, -1).mean(axis=1))
        fixed += [factor] * each
    return np.concatenate(points), np.array(fixed)


def factor_vae(codes: Any, factors: Any, *, seed: int = 0) -> float:
    """Return the FactorVAE metric: how well the latent that varies least tells which factor was fixed.

    In a group of 64 rows that share the value of one factor, the latent with the least variance, in units of its
    variance over all rows, is a vote for that factor. Each latent stands for the factor that most of its 10,000 votes
    (as many for each factor) are for, and the metric is how often that is right in 5,000 others: Kim & Mnih,
    "Disentangling by factorizing" (2018), its new metric. Latents that never vary are ignored. Groups come from the
    given rows (see `Groups`).

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.
        seed: Seed of the groups.

    Returns:
        Accuracy: 1 at best, about 1/k for codes that know nothing about the factors.

    Raises:
        ValueError: If the codes or the factors have another shape or kind, or no latent varies.

    Example:
        >>> factors = np.indices([4, 5]).reshape(2, -1).T
        >>> factor_vae(factors * [2.0, -0.1], factors)
        1.0
    """
    seed = seed_number(seed, "factor_vae")
    codes, factors = checked(codes, factors, "factor_vae")
    codes = codes[:, np.ptp(codes, axis=0) > 0]
    if not codes.shape[1]:
        raise ValueError(
            "factor_vae: no latent varies: expected codes that differ from row to row, received constant ones"
        )
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    rng = generator(seed, "factor_vae")
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
