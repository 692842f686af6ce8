"""Disentanglement by predicting factors from latents: DCI and SAP."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_vae.evaluation.latents.disentanglement_metrics.inputs import checked, numbered
from keras_vae.utils.arguments import seed_number
from keras_vae.utils.seeds import generator

_TRAIN, _TEST = 10_000, 5_000
_TREES = 20
# Share of the rows in a leaf: smaller leaves would memorize noise, and noise would then seem important.
_LEAF_SHARE = 0.001


@dataclass(frozen=True, eq=False)
class DCI:
    """The result of `dci`.

    Attributes:
        disentanglement: How far each latent is important for one factor only; from 0 to 1.
        completeness: How far each factor depends on one latent only; from 0 to 1.
        informativeness: Mean accuracy of predicting the factors from all latents; from 0 to 1.
        importance: Importance of each latent for each factor, `[latents, k]`; each column sums to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: np.ndarray


def dci(codes: Any, factors: Any, *, seed: int = 0) -> DCI:
    """Return disentanglement, completeness and informativeness.

    A random forest predicts each factor from all latents, and its importances (how much impurity the splits on a latent
    remove) are the matrix R. Disentanglement is the mean over latents, weighted by their share of R, of 1 − H_k of
    their row as a distribution, the entropy with logarithm to base k; completeness the mean over factors of 1 − H of
    their column, to the base of the number of latents: Eastwood & Williams, "A framework for the quantitative
    evaluation of disentangled representations" (2018), section 2. Informativeness there is a regression error;
    here it is the accuracy of the classes on held-out rows, as in Locatello et al. (2019).

    Each forest has 20 trees that may split on any latent, with leaves of at least a thousandth of the rows. At most
    10,000 rows are used for training, and 5,000, at most a fifth of all, for accuracy.

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.
        seed: Seed of the held-out rows and of the forests.

    Raises:
        ValueError: If the codes or the factors have another shape or kind.

    Example:
        >>> factors = np.indices([3, 4, 20]).reshape(3, -1).T[:, :2]
        >>> found = dci(factors * [2.0, -0.1], factors)
        >>> round(found.disentanglement, 3), round(found.completeness, 3), found.informativeness
        (1.0, 1.0, 1.0)
    """
    from sklearn.ensemble import RandomForestClassifier  # slow to import

    seed = seed_number(seed, "dci")
    codes, factors = checked(codes, factors, "dci")
    if len(codes) < 5:
        raise ValueError(
            f"dci: there are too few rows: expected five or more, one of them held out, received {len(codes)}"
        )
    order = generator(seed, "dci").permutation(len(codes))
    tests = min(_TEST, len(codes) // 5)
    test, train = order[:tests], order[tests : tests + _TRAIN]
    leaf = max(1, round(_LEAF_SHARE * len(train)))
    importance, accuracy = [], []
    for factor in factors.T:
        # All latents at every split: otherwise noise wins where the informative latent is not a candidate.
        forest = RandomForestClassifier(
            _TREES, max_features=None, min_samples_leaf=leaf, random_state=seed, n_jobs=-1
        ).fit(codes[train], factor[train])
        importance.append(forest.feature_importances_)
        accuracy.append(forest.score(codes[test], factor[test]))
    return of_importance(np.stack(importance, axis=1), float(np.mean(accuracy)))


def of_importance(importance: np.ndarray, informativeness: float) -> DCI:
    """Return the scores of a matrix of importances, `[latents, k]`.

    Example:
        >>> found = of_importance(np.array([[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]]), 1.0)
        >>> found.disentanglement, round(found.completeness, 3)  # (1 + 1 − log 2 / log 3) / 2
        (1.0, 0.685)
    """
    total = importance.sum()
    weights = importance.sum(axis=1) / total if total > 0 else np.zeros(len(importance))
    disentanglement = float(np.sum(weights * _peaked(importance)))
    return DCI(disentanglement, float(np.mean(_peaked(importance.T))), informativeness, importance)


def _peaked(rows: np.ndarray) -> np.ndarray:
    """Return 1 minus the normalized entropy of each row as a distribution; 0 for a row of zeros."""
    sums = rows.sum(axis=1, keepdims=True)
    shares = rows / np.where(sums > 0, sums, 1.0)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropy = -np.sum(shares * logs, axis=1) / np.log(rows.shape[1])
    return np.where(sums[:, 0] > 0, 1 - entropy, 0.0)


def sap(codes: Any, factors: Any, categorical: Collection[int] = ()) -> float:
    """Return the SAP score: how much better one latent predicts a factor than any other latent does.

    The mean over factors of the difference between the two largest scores of single latents: Kumar, Sattigeri &
    Balakrishnan, "Variational inference of disentangled latent concepts from unlabeled observations" (2018), section
    3. The score is R² of linear regression for a factor whose order means something, and for a categorical one the
    balanced accuracy of one threshold fewer than it has values, found greedily. Regression and thresholds are judged
    on the rows to which they were fitted; they are too simple to memorize thousands of rows.

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.
        categorical: Columns of factors without an order, such as the kind of shape.

    Returns:
        From 0 to 1; at most 1 − 1/values for a categorical factor, since any latent reaches chance.

    Raises:
        ValueError: If the codes or the factors have another shape or kind, or there is no such column.

    Example:
        >>> factors = np.indices([3, 4]).reshape(2, -1).T
        >>> round(sap(factors * [2.0, -0.1], factors), 6), round(sap(factors[:, [0, 0]], factors), 6)
        (1.0, 0.0)
    """
    codes, factors = checked(codes, factors, "sap")
    count = factors.shape[1]
    if any(column not in range(count) for column in categorical):
        raise ValueError(
            f"sap: categorical is out of range: expected columns from 0 to {count - 1}, received {list(categorical)}"
        )
    scores = _determination(codes, factors)
    for column in categorical:
        scores[:, column] = [_balanced_accuracy(code, factors[:, column]) for code in codes.T]
    scores = np.sort(scores, axis=0)
    return float(np.mean(scores[-1] - scores[-2]))


def _determination(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return R² of each factor's regression on each latent, `[latents, k]`."""
    varies = np.ptp(codes, axis=0) > 0
    left, right = codes - codes.mean(axis=0), factors - factors.mean(axis=0)
    variances = np.outer(np.where(varies, np.sum(left**2, axis=0), 1.0), np.sum(right**2, axis=0))
    return np.where(varies[:, None], (left.T @ right) ** 2 / variances, 0.0)


def _balanced_accuracy(code: np.ndarray, factor: np.ndarray) -> float:
    from sklearn.tree import DecisionTreeClassifier  # slow to import

    (value,), (size,) = (part.T for part in numbered(factor[:, None]))
    tree = DecisionTreeClassifier(max_leaf_nodes=int(size), class_weight="balanced", random_state=0)
    right = tree.fit(code[:, None], value).predict(code[:, None]) == value
    return float(np.mean(np.bincount(value, weights=right) / np.bincount(value)))
