"""Turning anything that goes wrong in a check into an AssertionError of one line."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np


def expect(condition: Any, message: str) -> None:
    """Raise an AssertionError unless the condition holds; unlike `assert`, under `python -O` too."""
    if not condition:
        raise AssertionError(message)


def expect_equal(found: Any, expected: Any, what: str, advice: str) -> None:
    """Expect two arrays to be equal to the last bit."""
    found, expected = np.asarray(found), np.asarray(expected)
    if not np.array_equal(found, expected):
        different = found.shape != expected.shape
        distance = "another shape" if different else f"a difference of {np.abs(found - expected).max():g}"
        raise AssertionError(f"{what}: expected the same to the last bit, received {distance}. {advice}")


def expect_close(found: Any, expected: Any, what: str, advice: str, rtol: float = 1e-3, atol: float = 1e-4) -> None:
    """Expect two arrays to be equal up to rounding."""
    found, expected = np.asarray(found), np.asarray(expected)
    expect(found.shape == expected.shape, f"{what}: expected shape {expected.shape}, received {found.shape}. {advice}")
    if not np.allclose(found, expected, rtol=rtol, atol=atol):
        raise AssertionError(
            f"{what}: expected the same up to rounding, received a difference of {np.abs(found - expected).max():g}. "
            f"{advice}"
        )


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Name the step of a check in whatever it raises: an AssertionError of one line, with the cause chained to it."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{name}: {error}") from error.__cause__
    except Exception as error:  # a part of the user's may raise anything
        message = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())  # Keras writes some in bold
        raise AssertionError(
            f"{name}: expected no error, received {type(error).__name__}: {message:.300}. See the traceback above"
        ) from error
