"""How the command line reads its numbers."""

from argparse import ArgumentTypeError


def positive(text: str) -> int:
    """Read a positive integer."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"wanted a positive integer; received {text!r}")
    return int(text)


def index(text: str) -> int:
    """Read an integer from 0 on."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"wanted an integer from 0 on; received {text!r}")
    return int(text)


def rate(text: str) -> float:
    """Read a learning rate."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e3:
        raise ArgumentTypeError(f"wanted a positive number, such as 1e-3; received {text!r}")
    return value


def scale(text: str) -> float | str:
    """Read the scale of a normal likelihood."""
    if text in ("learned", "learned_per_element", "predicted"):
        return text
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(
            f"wanted learned, learned_per_element, predicted or a number; received {text!r}"
        ) from None
