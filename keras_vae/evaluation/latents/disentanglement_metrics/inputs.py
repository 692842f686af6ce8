"""What every metric is given: codes and factors of the same rows."""

from typing import Any

import numpy as np


def checked(codes: Any, factors: Any, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return codes as float64 and factors as int64.

    Args:
        codes: `[n, latents]`, two latents or more.
        factors: `[n, k]` integers, two factors or more, each with two values or more.
        metric: Named in errors.

    Raises:
        ValueError: If they have another shape or kind, or codes are not finite.
    """
    codes, factors = np.asarray(codes), np.asarray(factors)
    if codes.ndim != 2 or codes.shape[1] < 2 or codes.dtype.kind not in "iuf":
        raise ValueError(
            f"{metric}: wanted codes of two latents or more, numbers of shape [n, latents]; received shape "
            f"{codes.shape}, {codes.dtype}"
        )
    if factors.ndim != 2 or factors.shape[1] < 2 or factors.dtype.kind not in "iu":
        raise ValueError(
            f"{metric}: wanted the values of two known factors or more, integers of shape [n, k], such as the labels "
            f"of data.load('shapes', with_labels=True); received shape {factors.shape}, {factors.dtype}"
        )
    if len(codes) != len(factors):
        raise ValueError(f"{metric}: there are {len(codes)} codes and {len(factors)} rows of factors; wanted as many")
    if not np.all(np.isfinite(codes)):
        raise ValueError(f"{metric}: codes hold NaN or infinite values; wanted finite numbers")
    fixed = [i for i, column in enumerate(factors.T) if len(np.unique(column)) < 2]
    if fixed:
        raise ValueError(
            f"{metric}: the factors in columns {fixed} have fewer than two values in {len(factors)} rows; wanted two "
            "or more. Leave those columns out, or give more data"
        )
    return codes.astype(np.float64), factors.astype(np.int64)


def numbered(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors with the values of each numbered from 0 without gaps, and how many there are, `[k]`.

    Example:
        >>> numbered(np.array([[3, 0], [5, 1], [3, 2]]))
        (array([[0, 0],
               [1, 1],
               [0, 2]]), array([2, 3]))
    """
    columns = [np.unique(column, return_inverse=True) for column in factors.T]
    return np.stack([number for _, number in columns], axis=1), np.array([len(values) for values, _ in columns])
