"""The inputs of every metric: codes and factors of the same rows."""

from typing import Any

import numpy as np


def checked(codes: Any, factors: Any, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return codes as float64 and factors as int64.

    Args:
        codes: `[n, latents]`, two latents or more.
        factors: `[n, k]` integers, two factors or more, each with two values or more.
        metric: The name in errors.

    Raises:
        ValueError: If they have another shape or kind, or codes are not finite.
    """
    codes, factors = np.asarray(codes), np.asarray(factors)
    if codes.ndim != 2 or codes.shape[1] < 2 or codes.dtype.kind not in "iuf":
        raise ValueError(
            f"{metric}: codes have the wrong shape or dtype: expected numbers [n, latents] of two or more latents, "
            f"received shape {codes.shape}, {codes.dtype}"
        )
    if factors.ndim != 2 or factors.shape[1] < 2 or factors.dtype.kind not in "iu":
        raise ValueError(
            f"{metric}: factors have the wrong shape or dtype: expected integers [n, k] of two or more factors, "
            f"received shape {factors.shape}, {factors.dtype}. Use data with known factors, such as "
            "data.load('shapes', with_labels=True)"
        )
    if len(codes) != len(factors):
        raise ValueError(
            f"{metric}: codes and factors differ in length: expected one row of factors per code, received "
            f"{len(codes)} codes and {len(factors)} rows"
        )
    if not np.all(np.isfinite(codes)):
        raise ValueError(f"{metric}: codes are not finite: expected finite numbers, received NaN or infinity")
    fixed = [i for i, column in enumerate(factors.T) if len(np.unique(column)) < 2]
    if fixed:
        raise ValueError(
            f"{metric}: factors do not vary: expected two or more values in each column, received fewer in columns "
            f"{fixed} of {len(factors)} rows. Leave out those columns, or pass more data"
        )
    return codes.astype(np.float64), factors.astype(np.int64)


def numbered(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors with values numbered from 0 without gaps, and the number of values of each, `[k]`.

    Example:
        >>> numbered(np.array([[3, 0], [5, 1], [3, 2]]))
        (array([[0, 0],
               [1, 1],
               [0, 2]]), array([2, 3]))
    """
    columns = [np.unique(column, return_inverse=True) for column in factors.T]
    return np.stack([number for _, number in columns], axis=1), np.array([len(values) for values, _ in columns])
