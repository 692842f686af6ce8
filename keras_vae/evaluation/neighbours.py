"""What the nearest neighbours of a code say of its class."""

import numpy as np
from sklearn.neighbors import NearestNeighbors


def nearest(train: np.ndarray, test: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the `count` nearest of `train` `[n, D]`, the nearest first, `[m, count]`.

    Distances are Euclidean, every pair's computed.

    Example:
        >>> nearest(np.array([[0.0], [5.0], [1.0]]), np.array([[0.9]]), 2).tolist()
        [[2, 0]]
    """
    index = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(np.asarray(train, np.float64))
    return index.kneighbors(np.asarray(test, np.float64), return_distance=False)


def vote(neighbours: np.ndarray, classes: int) -> np.ndarray:
    """Return the class that most neighbours have, the smaller one of two that have as many.

    Args:
        neighbours: Classes of each test code's neighbours, integers `[m, k]`.
        classes: How many classes there are.

    Returns:
        `[m]`.

    Example:
        >>> vote(np.array([[2, 0, 2], [1, 0, 2]]), 3).tolist()
        [2, 0]
    """
    counts = np.zeros([len(neighbours), classes], np.int64)
    np.add.at(counts, (np.arange(len(neighbours))[:, None], neighbours), 1)
    return counts.argmax(axis=1)


def precision(neighbours: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of each test code's neighbours `[m, k]` that have its class `[m]`: precision at k, `[m]`.

    Example:
        >>> precision(np.array([[2, 0, 2, 2], [1, 0, 2, 0]]), np.array([2, 1])).tolist()
        [0.75, 0.25]
    """
    return (neighbours == labels[:, None]).mean(axis=1)
