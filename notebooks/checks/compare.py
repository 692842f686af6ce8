"""Comparing numbers, and naming the mistake that explains a difference."""

from typing import Any

import numpy as np

from checks.report import Wrong

Mistakes = dict[str, Any]


def compare(got: Any, wanted: Any, mistakes: Mistakes, tolerance: float = 1e-4) -> None:
    """Compare a result with the truth.

    Args:
        got: What the student's function returned.
        wanted: What is right, from another source.
        mistakes: What a mistake would give, by the hint for it; the first that fits is named.
        tolerance: Largest difference, relative to the larger of 1 and the truth.

    Raises:
        Wrong: With a hint, if they differ.
    """
    if got is None:
        raise Wrong("it returned None; does the function end with a return?")
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    if got.shape == wanted.shape and _close(got, wanted, tolerance):
        return
    for hint, value in mistakes.items():
        value = np.asarray(value, np.float64)
        if got.shape == value.shape and _close(got, value, tolerance):
            raise Wrong(hint)
    if got.shape != wanted.shape:
        raise Wrong(f"it returned shape {got.shape}; wanted {wanted.shape}: {_SHAPES.get(wanted.ndim, 'see the task')}")
    if not np.all(np.isfinite(got)):
        raise Wrong(f"it returned {got.ravel()[~np.isfinite(got.ravel())][0]}; wanted finite numbers")
    worst = np.argmax(np.abs(got - wanted))
    raise Wrong(f"it returned {got.ravel()[worst]:.6g} where {wanted.ravel()[worst]:.6g} is right")


_SHAPES = {0: "one number, the mean over the batch", 1: "one number for each example; sum over the last axis only"}


def _close(got: np.ndarray, wanted: np.ndarray, tolerance: float) -> bool:
    return bool(np.all(np.abs(got - wanted) <= tolerance * np.maximum(1, np.abs(wanted))))
