"""Which pixels are hidden: by a rule, or as a user says."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Masks = Callable[[int, int, int], np.ndarray]

_SIDES = ("left", "right", "top", "bottom")
_WANTED = 'wanted "pixels", "left", "right", "top", "bottom", or an array of booleans, True where hidden'


def masks(hidden: Any, *, share: float, event_shape: tuple[int, ...], joint: int, seed: int) -> Masks:
    """Return the function from (batch number, first example, examples) to masks `[examples, *event]`, True if hidden.

    Args:
        hidden: "pixels", each at random with probability `share`; "left", "right", "top" or "bottom", that share of an
            image; or booleans, `[*event]` for all examples or `[n, *event]`.
        share: Between 0 and 1; for rules.
        event_shape: Shape of one x; rules hide all channels of an image's pixel together.
        joint: How many trailing axes only go together.
        seed: Of pixels at random.

    Raises:
        ValueError: If a rule, a share or a shape is refused, or values that go together are hidden in part.

    Example:
        >>> masks("top", share=0.5, event_shape=(4, 2, 1), joint=0, seed=0)(0, 0, 1)[0, :, :, 0].astype(int).tolist()
        [[1, 1], [1, 1], [0, 0], [0, 0]]
    """
    if not isinstance(hidden, str):
        return _given(np.asarray(hidden), event_shape, joint)
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, neither of them included; received {share!r}")
    if hidden == "pixels":
        return _at_random(share, event_shape, joint, seed)
    if hidden not in _SIDES:
        raise ValueError(f"hidden={hidden!r}; {_WANTED}")
    if len(event_shape) != 3:
        raise ValueError(
            f"hidden={hidden!r} wants images, (height, width, channels); the model's x has shape "
            f'{event_shape}. Use hidden="pixels" or an array of booleans'
        )
    side = _side(hidden, share, event_shape)
    return lambda number, start, count: np.broadcast_to(side, (count, *event_shape))


def _at_random(share: float, event_shape: tuple[int, ...], joint: int, seed: int) -> Masks:
    together = max(joint, int(len(event_shape) == 3))
    shape = (*event_shape[: len(event_shape) - together], *[1] * together)

    def draw(number: int, start: int, count: int) -> np.ndarray:
        chosen = np.random.default_rng([seed, number]).random((count, *shape)) < share
        return np.broadcast_to(chosen, (count, *event_shape))

    return draw


def _side(side: str, share: float, event_shape: tuple[int, ...]) -> np.ndarray:
    axis = 0 if side in ("top", "bottom") else 1
    length = event_shape[axis]
    width = min(max(1, math.floor(share * length + 0.5)), length)
    found = np.zeros(event_shape, bool)
    part = slice(0, width) if side in ("top", "left") else slice(length - width, length)
    found[(slice(None),) * axis + (part,)] = True
    return found


def _given(hidden: np.ndarray, event_shape: tuple[int, ...], joint: int) -> Masks:
    if hidden.dtype != bool:
        raise ValueError(f"hidden has dtype {hidden.dtype}; {_WANTED}")
    if hidden.shape[-len(event_shape) :] != event_shape or hidden.ndim > len(event_shape) + 1:
        raise ValueError(f"hidden has shape {hidden.shape}; wanted {event_shape} or {('n', *event_shape)}")
    if not hidden.any():
        raise ValueError("hidden is False everywhere; wanted True where a value is hidden")
    axes = tuple(range(hidden.ndim - joint, hidden.ndim))
    if np.any(hidden.any(axis=axes) != hidden.all(axis=axes)):
        raise ValueError(
            f"given z, what lies along the last {joint} axes of x goes together, and hidden holds a part "
            "of it; wanted whole pixels, all channels of each"
        )

    def cut(number: int, start: int, count: int) -> np.ndarray:
        if hidden.ndim == len(event_shape):
            return np.broadcast_to(hidden, (count, *event_shape))
        if start + count > len(hidden):
            raise ValueError(f"there are masks for {len(hidden)} examples, and the data hold more")
        return hidden[start : start + count]

    return cut
