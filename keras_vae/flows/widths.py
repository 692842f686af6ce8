"""Reading the widths of hidden layers."""

from collections.abc import Sequence
from typing import Any

from keras_vae.checks import positive_integer


def read_widths(hidden: Any, owner: str) -> tuple[int, ...]:
    """Read a sequence of widths; it may be empty.

    Raises:
        ValueError: If it is no sequence, or holds anything but positive integers.

    Example:
        >>> read_widths([64, 64], "MADE")
        (64, 64)
    """
    if not isinstance(hidden, Sequence) or isinstance(hidden, str):
        raise ValueError(f"{owner}: hidden must be a sequence of widths, such as (64,); received {hidden!r}")
    return tuple(positive_integer(width, f"{owner}: each width in hidden") for width in hidden)
