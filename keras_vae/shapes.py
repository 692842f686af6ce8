"""Reading shapes that users give."""

from collections.abc import Sequence
from numbers import Integral


def as_shape(shape: int | Sequence[int], owner: str) -> tuple[int, ...]:
    """Read an event shape, or say what is wrong with it.

    Raises:
        ValueError: If it is empty or holds anything but positive integers.
    """
    dims = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if not dims or not all(isinstance(d, Integral) and not isinstance(d, bool) and d > 0 for d in dims):
        raise ValueError(
            f"{owner}: event_shape must be a positive integer or a non-empty sequence of them, such as 20 "
            f"or (28, 28, 1); received {shape!r}"
        )
    return tuple(int(d) for d in dims)
