"""Compare numbers and identify the mistake that explains a difference."""

from typing import Any

import numpy as np

from checks.report import Wrong

Mistakes = dict[str, Any]


def compare(got: Any, expected: Any, mistakes: Mistakes, tolerance: float = 1e-4) -> None:
    """Compare a result with the expected value.

    Args:
        got: Return value of the student's function.
        expected: Correct value, from an independent source.
        mistakes: Result of each common mistake, by hint; the first match is reported.
        tolerance: Maximum difference, relative to the larger of 1 and the expected value.

    Raises:
        Wrong: If they differ, with a hint.
    """
    if got is None:
        raise Wrong("it returned None. Does the function end with a return statement?")
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    if got.shape == expected.shape and _close(got, expected, tolerance):
        return
    for hint, value in mistakes.items():
        value = np.asarray(value, np.float64)
        if got.shape == value.shape and _close(got, value, tolerance):
            raise Wrong(hint)
    if got.shape != expected.shape:
        shape = f"expected shape {expected.shape}, received {got.shape}"
        raise Wrong(f"{shape}: {_SHAPES.get(expected.ndim, 'see the task')}")
    if not np.all(np.isfinite(got)):
        raise Wrong(f"expected finite numbers, received {got.ravel()[~np.isfinite(got.ravel())][0]}")
    worst = np.argmax(np.abs(got - expected))
    raise Wrong(f"expected {expected.ravel()[worst]:.6g}, received {got.ravel()[worst]:.6g}")


_SHAPES = {0: "one number, the mean over the batch", 1: "one number per example; sum over the last axis only"}


def _close(got: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    return bool(np.all(np.abs(got - expected) <= tolerance * np.maximum(1, np.abs(expected))))
