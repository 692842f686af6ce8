"""The Fréchet distance between two sets of features, taken for normal."""

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the squared Fréchet distance between normals fitted to a `[n, D]` and b `[m, D]`.

    Dowson & Landau (1982), equation 4; on Inception features, Heusel et al. (2017), equation 6. Covariances are
    estimates from few examples, so the distance of small sets is too large: compare sets of one size.

    Raises:
        ValueError: If the sets are not matrices of as many columns, with two rows or more.

    Example:
        >>> a = np.array([[0.0], [2.0]])
        >>> frechet_distance(a, a + 3)  # as wide, 3 further
        9.0
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"frechet_distance: wanted two sets [n, features], n at least 2; received shapes {a.shape} and {b.shape}"
        )
    return frechet_of_normals(a.mean(axis=0), _covariance(a), b.mean(axis=0), _covariance(b))


def frechet_of_normals(
    mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray
) -> float:
    """Return ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) for means `[D]` and covariances `[D, D]`.

    Example:
        >>> frechet_of_normals(np.zeros(2), np.eye(2), np.array([3.0, 0.0]), 4 * np.eye(2))  # 9 + 2 (1 − 2)²
        11.0
    """
    # The eigenvalues of Σ_a Σ_b are those of √Σ_a Σ_b √Σ_a, which is symmetric; below 0 by rounding alone.
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance_b @ root), 0)).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross
    return float(max(distance, 0.0))


def _covariance(features: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(features, rowvar=False))
