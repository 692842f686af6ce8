"""Masks of hidden pixels: by a rule, or given by the user."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_vae.utils.arguments import one_line
from keras_vae.utils.seeds import generator

Masks = Callable[[int, int, int], np.ndarray]

_SIDES = ("left", "right", "top", "bottom")
_EXPECTED = 'expected "pixels", "left", "right", "top", "bottom", or an array of booleans, True where hidden'


def masks(hidden: Any, *, share: float, event_shape: tuple[int, ...], joint: int, seed: int) -> Masks:
    """Return the function from (batch number, first example, examples) to masks `[examples, *event]`, True if hidden.

    Args:
        hidden: "pixels", each at random with probability `share`; "left", "right", "top" or "bottom", that share of an
            image; or booleans, `[*event]` for all examples or `[n, *event]`.
        share: Between 0 and 1; for rules.
        event_shape: Shape of one x; rules hide all channels of a pixel together.
        joint: Number of trailing axes that can only be hidden together.
        seed: Seed of random pixels.

    Raises:
        ValueError: If a rule, a share or a shape is invalid, or values that belong together are hidden in part.

    Example:
        >>> masks("top", share=0.5, event_shape=(4, 2, 1), joint=0, seed=0)(0, 0, 1)[0, :, :, 0].astype(int).tolist()
        [[1, 1], [1, 1], [0, 0], [0, 0]]
    """
    if not isinstance(hidden, str):
        return _given(np.asarray(hidden), event_shape, joint)
    if not 0 < share < 1:
        raise ValueError(f"share is out of range: expected a number above 0 and below 1, received {one_line(share)}")
    if hidden == "pixels":
        return _at_random(share, event_shape, joint, seed)
    if hidden not in _SIDES:
        raise ValueError(f"hidden is unknown: {_EXPECTED}, received {one_line(hidden)}")
    if len(event_shape) != 3:
        raise ValueError(
            f"hidden={hidden!r} is for images: expected x of shape (height, width, channels), received {event_shape}. "
            'Use hidden="pixels" or an array of booleans'
        )
    side = _side(hidden, share, event_shape)
    return lambda number, start, count: np.broadcast_to(side, (count, *event_shape))


def _at_random(share: float, event_shape: tuple[int, ...], joint: int, seed: int) -> Masks:
    together = max(joint, int(len(event_shape) == 3))
    shape = (*event_shape[: len(event_shape) - together], *[1] * together)

    def draw(number: int, start: int, count: int) -> np.ndarray:
        chosen = generator(seed, "hidden pixels", number).random((count, *shape)) < share
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
        raise ValueError(f"hidden has the wrong dtype: {_EXPECTED}, received {hidden.dtype}")
    if hidden.shape[-len(event_shape) :] != event_shape or hidden.ndim > len(event_shape) + 1:
        raise ValueError(
            f"hidden has the wrong shape: expected {event_shape} or {('n', *event_shape)}, received {hidden.shape}"
        )
    if not hidden.any():
        raise ValueError("hidden is empty: expected True where a value is hidden, received False everywhere")
    axes = tuple(range(hidden.ndim - joint, hidden.ndim))
    if np.any(hidden.any(axis=axes) != hidden.all(axis=axes)):
        raise ValueError(
            "hidden splits values that depend on each other: expected whole pixels, all of the last "
            f"{joint} axes of x, received a part of one"
        )

    def cut(number: int, start: int, count: int) -> np.ndarray:
        if hidden.ndim == len(event_shape):
            return np.broadcast_to(hidden, (count, *event_shape))
        if start + count > len(hidden):
            raise ValueError(
                f"there are too few masks: expected one per example, received {len(hidden)} masks for more examples"
            )
        return hidden[start : start + count]

    return cut
