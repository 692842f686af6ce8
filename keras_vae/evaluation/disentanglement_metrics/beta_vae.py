"""The metric of the β-VAE paper."""

from typing import Any

import numpy as np

from keras_vae.evaluation.disentanglement_metrics.groups import Groups
from keras_vae.evaluation.disentanglement_metrics.inputs import checked

_TRAIN, _TEST = 10_000, 5_000
_PAIRS = 64
_AT_ONCE = 500


def beta_vae(codes: Any, factors: Any, *, seed: int = 0) -> float:
    """Return the β-VAE metric: how well a linear classifier sees from codes which factor was held fixed.

    A point is the mean of |z₁ − z₂| over 64 pairs of rows that share the value of one factor, and its class is that
    factor: Higgins et al., "β-VAE: learning basic visual concepts with a constrained variational framework" (2017),
    section 3. Logistic regression learns from 10,000 points, as many for each factor, and its accuracy is that on
    5,000 others. Differences are scaled to unit variance first, so that a latent's scale does not matter. Pairs come
    from the given rows (see `Groups`).

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.
        seed: Of the pairs.

    Returns:
        Accuracy: 1 at best, about 1/k for codes that know nothing of the factors. It is 1 too where a factor is spread
        over several latents that no other factor uses.

    Raises:
        ValueError: If the codes or the factors are not as wanted.

    Example:
        >>> factors = np.indices([4, 5]).reshape(2, -1).T
        >>> beta_vae(factors * [2.0, -0.1], factors)
        1.0
    """
    from sklearn.linear_model import LogisticRegression  # slow to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    codes, factors = checked(codes, factors, "beta_vae")
    rng = np.random.default_rng(seed)
    groups = Groups(factors)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(*_points(codes, groups, factors.shape[1], _TRAIN, rng))
    return float(classifier.score(*_points(codes, groups, factors.shape[1], _TEST, rng)))


def _points(
    codes: np.ndarray, groups: Groups, factors: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean differences, `[points, latents]`, and the factor that was held fixed, `[points]`."""
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
