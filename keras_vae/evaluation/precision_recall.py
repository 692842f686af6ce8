"""Precision and recall of samples: how many look real, and how much of what is real they cover."""

from collections.abc import Iterator

import numpy as np

from keras_vae.checks import positive_integer

_ROWS = 1000


def precision_recall(real: np.ndarray, generated: np.ndarray, neighbours: int = 3) -> tuple[float, float]:
    """Return improved precision and recall (Kynkäänniemi et al. 2019, equations 1 and 2).

    A set's manifold is a ball around each of its points, as far as its k-th nearest other point. Precision is the
    share of generated points on the real manifold, recall that of real points on the generated one. Both depend on
    how many points there are: compare sets of one size.

    Args:
        real: `[n, D]`.
        generated: `[m, D]`.
        neighbours: k.

    Raises:
        ValueError: If a set has no more than k points, or the columns are not as many.

    Example:
        >>> real = np.array([[0.0], [1.0], [10.0]])
        >>> precision_recall(real, np.array([[0.5], [0.6], [99.0], [99.5]]), neighbours=1)  # balls of 1, 1 and 9
        (0.5, 0.0)
    """
    k = positive_integer(neighbours, "precision_recall: neighbours")
    if (
        real.ndim != 2
        or generated.ndim != 2
        or real.shape[1] != generated.shape[1]
        or min(len(real), len(generated)) <= k
    ):
        raise ValueError(
            f"precision_recall: wanted two sets [n, features], n above {k} for {k} neighbours; received shapes "
            f"{real.shape} and {generated.shape}"
        )
    return _share_on(real, generated, k), _share_on(generated, real, k)


def _share_on(manifold: np.ndarray, points: np.ndarray, k: int) -> float:
    """Return the share of the points that lie in a ball of the manifold."""
    radii = np.concatenate([_nearest(rows, k) for rows in _squared_distances(manifold, manifold)])
    inside = [np.any(rows <= radii, axis=1) for rows in _squared_distances(points, manifold)]
    return float(np.mean(np.concatenate(inside)))


def _nearest(distances: np.ndarray, k: int) -> np.ndarray:
    """Return the k-th smallest of each row but for its smallest, which is a point's distance to itself."""
    rows = np.arange(len(distances))
    for _ in range(k):  # for a few neighbours far faster than a partition
        distances[rows, distances.argmin(axis=1)] = np.inf
    return distances.min(axis=1)


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the squared distances of some rows of a to all of b, `[rows, m]`."""
    lengths = np.sum(b**2, axis=1)
    for start in range(0, len(a), _ROWS):
        part = a[start : start + _ROWS]
        yield np.maximum(np.sum(part**2, axis=1)[:, None] + lengths - 2 * part @ b.T, 0)
