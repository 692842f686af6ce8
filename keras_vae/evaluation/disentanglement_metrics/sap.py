"""Separated attribute predictability."""

from collections.abc import Collection
from typing import Any

import numpy as np

from keras_vae.evaluation.disentanglement_metrics.inputs import checked, numbered


def sap(codes: Any, factors: Any, categorical: Collection[int] = ()) -> float:
    """Return the SAP score: how much better one latent predicts a factor than any other latent does.

    The mean over factors of the difference between the two largest scores of single latents: Kumar, Sattigeri &
    Balakrishnan, "Variational inference of disentangled latent concepts from unlabeled observations" (2018), section
    3. The score is R² of linear regression for a factor whose order means something, and for a categorical one the
    balanced accuracy of one threshold fewer than it has values, found greedily. Regression and thresholds are judged
    on the rows to which they were fitted; they are too simple to learn thousands of rows by heart.

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.
        categorical: Columns of factors without an order, such as the kind of shape.

    Returns:
        From 0 to 1; at most 1 − 1/values for a categorical factor, since any latent reaches chance.

    Raises:
        ValueError: If the codes or the factors are not as wanted, or there is no such column.

    Example:
        >>> factors = np.indices([3, 4]).reshape(2, -1).T
        >>> round(sap(factors * [2.0, -0.1], factors), 6), round(sap(factors[:, [0, 0]], factors), 6)
        (1.0, 0.0)
    """
    codes, factors = checked(codes, factors, "sap")
    count = factors.shape[1]
    if any(column not in range(count) for column in categorical):
        raise ValueError(f"sap: categorical={list(categorical)}; wanted columns from 0 to {count - 1}")
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
