"""Failures of checks as AssertionErrors with one-line messages."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np


def expect(condition: Any, message: str) -> None:
    """Raise an AssertionError if the condition is false; unlike `assert`, also under `python -O`."""
    if not condition:
        raise AssertionError(message)


def expect_equal(found: Any, expected: Any, what: str, advice: str) -> None:
    """Expect two arrays to be identical."""
    found, expected = np.asarray(found), np.asarray(expected)
    if not np.array_equal(found, expected):
        different = found.shape != expected.shape
        distance = "another shape" if different else f"a difference of {np.abs(found - expected).max():g}"
        raise AssertionError(f"{what}: expected identical values, received {distance}. {advice}")


def expect_close(found: Any, expected: Any, what: str, advice: str, rtol: float = 1e-3, atol: float = 1e-4) -> None:
    """Expect two arrays to be equal up to rounding."""
    found, expected = np.asarray(found), np.asarray(expected)
    expect(found.shape == expected.shape, f"{what}: expected shape {expected.shape}, received {found.shape}. {advice}")
    if not np.allclose(found, expected, rtol=rtol, atol=atol):
        raise AssertionError(
            f"{what}: expected equal values up to rounding, received a difference of "
            f"{np.abs(found - expected).max():g}. {advice}"
        )


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Convert any error of a step to an AssertionError with a one-line message that names the step."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{name}: {error}") from error.__cause__
    except Exception as error:  # a user-defined part may raise anything
        message = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())  # Keras prints some in bold
        raise AssertionError(
            f"{name}: expected no error, received {type(error).__name__}: {message:.300}. See the traceback above"
        ) from error
