"""Plots of images: a grid, one row per class, data above reconstructions."""

import os
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from keras_vae.plots.drawing import Plot, finished, labeled_grid, one_canvas, read, show, tile


def grid(
    images: Any, path: str | os.PathLike[str] | None = None, *, columns: int | None = None, title: str = ""
) -> Figure:
    """Plot images in a grid.

    Args:
        images: `[n, height, width, channels]`, values in [0, 1].
        path: File to write; its suffix, such as `.png`, sets the format.
        columns: Images per row; by default the grid is nearly square.
        title: The title.

    Returns:
        The figure.

    Raises:
        ValueError: If there are no images, or they have another shape.

    Example:
        >>> import numpy as np
        >>> grid(np.zeros([6, 8, 8, 1]), columns=3).axes[0].images[0].get_array().shape
        (19, 28)
    """
    return finished(one_canvas(tile(images, columns), title), path)


def by_class(images: Any, path: str | os.PathLike[str] | None = None, *, names: Sequence[Any] | None = None) -> Figure:
    """Plot images with one row per class, labeled with its name.

    Args:
        images: `[classes, n, height, width, channels]`. With the same seeds in each class, a column shows one z
            under every condition.
        path: File to write.
        names: Names of the classes; their numbers by default.

    Returns:
        The figure.

    Raises:
        ValueError: If the images have another shape, or the number of names is wrong.

    Example:
        >>> import numpy as np
        >>> figure = by_class(np.zeros([2, 5, 8, 8, 1]), names=["cat", "dog"])
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['cat', 'dog']
    """
    images = read(images, "plots.by_class: images")
    if images.ndim != 5:
        raise ValueError(
            "plots.by_class: images: expected shape [classes, n, height, width, channels], received "
            f"{images.shape}. Reshape them."
        )
    figure, _ = labeled_grid(images, [str(name) for name in (range(len(images)) if names is None else names)])
    return finished(figure, path)


def reconstructions(x: Any, reconstructions: Any, path: str | os.PathLike[str] | None = None) -> Figure:
    """Plot images above their reconstructions.

    Args:
        x: `[n, height, width, channels]`.
        reconstructions: The same shape.
        path: File to write.

    Returns:
        The figure.

    Raises:
        ValueError: If there are no images, or the shapes differ.

    Example:
        >>> import numpy as np
        >>> [axis.get_ylabel() for axis in reconstructions(np.zeros([4, 8, 8, 1]), np.ones([4, 8, 8, 1])).axes]
        ['data', 'reconstruction']
    """
    x = read(x, "plots.reconstructions: x")
    reconstructions = read(reconstructions, "plots.reconstructions: reconstructions")
    if x.ndim != 4 or x.shape != reconstructions.shape:
        raise ValueError(
            f"plots.reconstructions: expected images [n, height, width, channels] and as many reconstructions, "
            f"received shapes {x.shape} and {reconstructions.shape}. Pass one reconstruction per image."
        )
    figure = Plot(figsize=(min(16, 0.75 * len(x)), 1.8), layout="constrained")
    axes = figure.subplots(2, 1)
    for axis, images, name in zip(axes, (x, reconstructions), ("data", "reconstruction"), strict=True):
        show(axis, tile(images, len(images)))
        axis.set_ylabel(name, fontsize=8)
    return finished(figure, path)
