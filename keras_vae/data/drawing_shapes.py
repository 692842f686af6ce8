"""Drawing squares, ellipses and hearts, white on black, with smooth edges."""

from collections.abc import Callable

import numpy as np

# Each tells which points (u, v), v upwards, lie inside a shape whose farthest points are 1 from the origin.
_Inside = Callable[[np.ndarray, np.ndarray], np.ndarray]
_ELLIPSE_WIDTH = 0.6
# The farthest points of (u² + v² − 1)³ = u² v³ are 1.425 from the origin.
_HEART = 1.425
# Points along each side of a pixel at which a shape is looked up.
_FINE = 16


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) <= np.sqrt(0.5)


def _ellipse(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u**2 + (v / _ELLIPSE_WIDTH) ** 2 <= 1


def _heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    u, v = _HEART * u, _HEART * v
    u2, v2 = u * u, v * v
    ring = u2 + v2 - 1
    return ring * ring * ring <= u2 * v2 * v


SHAPES: dict[str, _Inside] = {"square": _square, "ellipse": _ellipse, "heart": _heart}


def draw(shape: str, radius: np.ndarray, angle: np.ndarray, x: np.ndarray, y: np.ndarray, side: int = 32) -> np.ndarray:
    """Draw one shape in many places.

    Args:
        shape: "square", "ellipse" (0.6 times as wide as long, lying) or "heart" (upright).
        radius: From the centre to the farthest point, in pixels, `[n]`.
        angle: Anticlockwise, in radians, `[n]`.
        x: Of the centre, in pixels to the right of the image's centre, `[n]`, within the image.
        y: Of the centre, in pixels below the image's centre, `[n]`, within the image.
        side: Of the image, in pixels.

    Returns:
        `[n, side, side, 1]` uint8: the part of a pixel that the shape covers, by 16 × 16 points, times 255.

    Example:
        >>> image = draw("square", np.array([2**0.5]), np.zeros(1), np.zeros(1), np.zeros(1), side=4)
        >>> image[0, :, :, 0]
        array([[  0,   0,   0,   0],
               [  0, 255, 255,   0],
               [  0, 255, 255,   0],
               [  0,   0,   0,   0]], dtype=uint8)
    """
    column, row = (np.floor(place + side / 2).astype(np.int64) for place in (x, y))
    within = np.stack([radius, angle, x + side / 2 - column, y + side / 2 - row], axis=1)
    # Many images show one picture at another pixel.
    different, which = np.unique(within, axis=0, return_inverse=True)
    reach = int(np.ceil(radius.max())) + 1
    pictures = np.stack([_picture(SHAPES[shape], reach, *one) for one in different])
    images = np.zeros([len(x), side + 2 * reach, side + 2 * reach], np.uint8)
    span = np.arange(2 * reach)
    rows, columns = (place[:, None] + span for place in (row, column))
    images[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]] = pictures[which.reshape(-1)]
    return images[:, reach:-reach, reach:-reach, None]


def _picture(inside: _Inside, reach: int, radius: float, angle: float, x: float, y: float) -> np.ndarray:
    """Draw a shape whose centre lies x to the right of and y below the middle of `[2 reach, 2 reach]` pixels."""
    points = (np.arange(2 * reach * _FINE) + 0.5) / _FINE - reach
    right, up = (points - x)[None, :] / radius, (y - points)[:, None] / radius
    cos, sin = np.cos(angle), np.sin(angle)
    found = inside(right * cos + up * sin, up * cos - right * sin)
    share = found.reshape(2 * reach, _FINE, 2 * reach, _FINE).mean(axis=(1, 3))
    return np.rint(255 * share).astype(np.uint8)
