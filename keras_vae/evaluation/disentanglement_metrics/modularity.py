"""Modularity: whether each latent tells of one factor alone."""

from typing import Any

import numpy as np

from keras_vae.evaluation.disentanglement_metrics.inputs import checked
from keras_vae.evaluation.disentanglement_metrics.mutual_information import binned, of_counts


def modularity(codes: Any, factors: Any) -> float:
    """Return modularity: how little each latent tells of factors other than the one that it tells most of.

    The mean over latents of 1 − Σ_f (m_f − t_f)² / (θ² (k − 1)), where m_f = I(z; v_f), θ is the largest of them, and
    t_f is θ at its place and 0 elsewhere: Ridgeway & Mozer, "Learning deep disentangled embeddings with the
    F-statistic loss" (2018), where it is defined beside explicitness. A latent that never varies counts as 0. All
    latents count alike, even those that tell next to nothing: of pure noise the bias of the counts tells most about
    the factor with most values, and modularity is then 0 only where all have as many.

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: If the codes or the factors are not as wanted.

    Example:
        >>> factors = np.indices([3, 4]).reshape(2, -1).T
        >>> round(modularity(factors[:, [0, 1, 1]], factors), 6)
        1.0
    """
    codes, factors = checked(codes, factors, "modularity")
    return of_information(of_counts(binned(codes), factors))


def of_information(information: np.ndarray) -> float:
    """Return modularity of mutual information, `[latents, k]`.

    Example:
        >>> of_information(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]))
        0.75
    """
    squares = information**2
    largest = squares.max(axis=1)
    others = squares.sum(axis=1) - largest
    found = 1 - others / (np.where(largest > 0, largest, 1.0) * (squares.shape[1] - 1))
    return float(np.mean(np.where(largest > 0, found, 0.0)))
