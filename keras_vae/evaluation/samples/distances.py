"""Distances between two sets of features: Fréchet distance, kernel distance, precision and recall."""

import math
from collections.abc import Iterator

import numpy as np

from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.utils.seeds import generator

# Rows whose distances to all others are computed in one piece.
_ROWS = 1000


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the squared Fréchet distance between normals fitted to a `[n, D]` and b `[m, D]`.

    Dowson & Landau (1982), equation 4; on Inception features, Heusel et al. (2017), equation 6. The
    estimated covariances make the distance of small sets too large: compare sets of the same size.

    Raises:
        ValueError: If the sets are not matrices with the same number of columns and two or more rows.

    Example:
        >>> a = np.array([[0.0], [2.0]])
        >>> frechet_distance(a, a + 3)  # equally wide, 3 apart
        9.0
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            "frechet_distance: the sets have the wrong shapes: expected [n, features] twice, n at least 2, received "
            f"{a.shape} and {b.shape}"
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


def kernel_distance(a: np.ndarray, b: np.ndarray, *, blocks: int = 10, seed: int = 0) -> tuple[float, float]:
    """Estimate MMD² with the kernel (xᵀy/D + 1)³ without bias (Bińkowski et al. 2018, section 4).

    Both sets are split into random blocks. The estimate is the mean over pairs of blocks, each without bias (Gretton et
    al. 2012, equation 3), and its standard error their standard deviation over √blocks. If both sets have the same
    distribution, it is 0 on average.

    Args:
        a: `[n, D]`.
        b: `[m, D]`.
        blocks: Number of blocks.
        seed: Seed of the split.

    Returns:
        The estimate and its standard error, NaN for one block.

    Raises:
        ValueError: If a set has fewer than two examples per block, or the numbers of columns differ.

    Example:
        >>> x = np.random.default_rng(0).normal(size=[1000, 4])
        >>> value, error = kernel_distance(x[:500], x[500:])
        >>> abs(value) < 3 * error
        True
    """
    blocks = positive_integer(blocks, "kernel_distance: blocks")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2 * blocks:
        raise ValueError(
            "kernel_distance: the sets have the wrong shapes: expected [n, features] twice, n at least "
            f"{2 * blocks} for {blocks} blocks, received {a.shape} and {b.shape}"
        )
    rng = generator(seed_number(seed, "kernel_distance"), "kernel_distance")
    parts = [np.array_split(features[rng.permutation(len(features))], blocks) for features in (a, b)]
    found = [unbiased_mmd(*pair) for pair in zip(*parts, strict=True)]
    error = np.std(found, ddof=1) / math.sqrt(blocks) if blocks > 1 else math.nan
    return float(np.mean(found)), float(error)


def unbiased_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Return the unbiased estimate of MMD² from a `[n, D]` and b `[m, D]`, which can be below 0.

    Example:
        >>> a, b = np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]])
        >>> unbiased_mmd(a, b)  # 1 + 2³ − 2
        7.0
    """
    return _mean_of_others(_kernel(a, a)) + _mean_of_others(_kernel(b, b)) - 2 * float(_kernel(a, b).mean())


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    base = a @ b.T / a.shape[1] + 1
    return base * base * base  # far faster than a power


def _mean_of_others(kernel: np.ndarray) -> float:
    """Return the mean over pairs of distinct examples."""
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


def precision_recall(real: np.ndarray, *, generated: np.ndarray, neighbors: int = 3) -> tuple[float, float]:
    """Return improved precision and recall (Kynkäänniemi et al. 2019, equations 1 and 2).

    The manifold of a set is a ball around each of its points, up to its k-th nearest neighbor. Precision is the share
    of generated points on the real manifold, recall that of real points on the generated one. Both depend on the number
    of points: compare sets of the same size.

    Args:
        real: `[n, D]`.
        generated: `[m, D]`.
        neighbors: k.

    Raises:
        ValueError: If a set has k points or fewer, or the numbers of columns differ.

    Example:
        >>> real = np.array([[0.0], [1.0], [10.0]])
        >>> generated = np.array([[0.5], [0.6], [99.0], [99.5]])
        >>> precision_recall(real, generated=generated, neighbors=1)  # balls of radius 1, 1 and 9
        (0.5, 0.0)
    """
    k = positive_integer(neighbors, "precision_recall: neighbors")
    if (
        real.ndim != 2
        or generated.ndim != 2
        or real.shape[1] != generated.shape[1]
        or min(len(real), len(generated)) <= k
    ):
        raise ValueError(
            f"precision_recall: the sets have the wrong shapes: expected [n, features] twice, n above {k} for {k} "
            f"neighbors, received {real.shape} and {generated.shape}"
        )
    return _share_on(real, generated, k), _share_on(generated, real, k)


def _share_on(manifold: np.ndarray, points: np.ndarray, k: int) -> float:
    """Return the share of the points that lie in a ball of the manifold."""
    radii = np.concatenate([_nearest(rows, k) for rows in _squared_distances(manifold, manifold)])
    inside = [np.any(rows <= radii, axis=1) for rows in _squared_distances(points, manifold)]
    return float(np.mean(np.concatenate(inside)))


def _nearest(distances: np.ndarray, k: int) -> np.ndarray:
    """Return the k-th smallest value of each row, not counting the smallest, the distance of a point to itself."""
    rows = np.arange(len(distances))
    for _ in range(k):  # far faster than a partition for a few neighbors
        distances[rows, distances.argmin(axis=1)] = np.inf
    return distances.min(axis=1)


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the squared distances of some rows of a to all of b, `[rows, m]`."""
    lengths = np.sum(b**2, axis=1)
    for start in range(0, len(a), _ROWS):
        part = a[start : start + _ROWS]
        yield np.maximum(np.sum(part**2, axis=1)[:, None] + lengths - 2 * part @ b.T, 0)
