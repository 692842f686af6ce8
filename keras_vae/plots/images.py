"""Pictures of images: grids, one row per class, reconstructions."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_vae.plots.drawing import labeled_grid, one_canvas, save, show, tile


def save_grid(path: str | os.PathLike[str], images: Any, columns: int | None = None, title: str = "") -> None:
    """Save images in a grid as a picture.

    Args:
        path: Where to; the suffix decides the format, such as `.png`.
        images: `[n, height, width, channels]`.
        columns: Images a row.
        title: A line above.
    """
    save(one_canvas(tile(images, columns), title), path)


def save_by_class(path: str | os.PathLike[str], images: Any, names: Sequence[Any] | None = None) -> None:
    """Save images one class a row, with its name at the left.

    Args:
        path: Where to.
        images: `[classes, n, height, width, channels]`; with the same seeds in each class, a column shows one z
            under every condition.
        names: Of the classes; their numbers by default.

    Example:
        >>> import tempfile
        >>> save_by_class(tempfile.mkdtemp() + "/classes.png", np.zeros([2, 5, 8, 8, 1]), ["cat", "dog"])
    """
    images = np.asarray(images)
    figure, _ = labeled_grid(images, [str(name) for name in (range(len(images)) if names is None else names)])
    save(figure, path)


def save_reconstructions(path: str | os.PathLike[str], x: Any, reconstructions: Any) -> None:
    """Save images above their reconstructions.

    Args:
        path: Where to.
        x: `[n, height, width, channels]`.
        reconstructions: The same shape.
    """
    x, reconstructions = np.asarray(x), np.asarray(reconstructions)
    figure = Figure(figsize=(min(16, 0.75 * len(x)), 1.8), layout="constrained")
    axes = figure.subplots(2, 1)
    for axis, images, name in zip(axes, (x, reconstructions), ("data", "reconstruction"), strict=True):
        show(axis, tile(images, len(images)))
        axis.set_ylabel(name, fontsize=8)
    save(figure, path)
