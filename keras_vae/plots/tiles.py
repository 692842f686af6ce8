"""Many images laid out in one."""

import math
from typing import Any

import numpy as np


def tile(images: Any, columns: int | None = None) -> np.ndarray:
    """Lay images out in one, row by row, with a thin white line between.

    Args:
        images: `[n, height, width, channels]`, values in [0, 1].
        columns: Images a row; by default as near to a square as can be.

    Returns:
        `[height', width', channels]`.

    Raises:
        ValueError: If the images are not of rank 4, or there are none.

    Example:
        >>> tile(np.zeros([6, 28, 28, 1]), columns=3).shape
        (59, 88, 1)
    """
    images = np.asarray(images, dtype=np.float32)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            f"tile: wanted at least one image, [n, height, width, channels]; received shape {images.shape}"
        )
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    canvas = np.ones((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), np.float32)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        canvas[top : top + height, left : left + width] = image
    return canvas


def pairs(x: Any, reconstructions: Any) -> np.ndarray:
    """Interleave images and their reconstructions, `[2n, …]`, for `tile` with an even number of columns."""
    x, reconstructions = np.asarray(x), np.asarray(reconstructions)
    return np.stack([x, reconstructions], axis=1).reshape(-1, *x.shape[1:])
