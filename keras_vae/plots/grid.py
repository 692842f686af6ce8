"""Images in a grid."""

import os
from typing import Any

from keras_vae.plots.drawing import one_canvas, save
from keras_vae.plots.tiles import tile


def save_grid(path: str | os.PathLike[str], images: Any, columns: int | None = None, title: str = "") -> None:
    """Save images in a grid as a picture.

    Args:
        path: Where to; the suffix decides the format, such as `.png`.
        images: `[n, height, width, channels]`.
        columns: Images a row.
        title: A line above.
    """
    save(one_canvas(tile(images, columns), title), path)
