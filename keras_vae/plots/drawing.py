"""What all pictures share: showing a canvas, naming rows and columns, writing a file."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_vae.files import whole
from keras_vae.plots.tiles import tile

# Inches a cell of a labelled grid takes: room enough for a number under each column.
_CELL = 0.66


def one_canvas(canvas: np.ndarray, title: str) -> Figure:
    """Draw one canvas, `[height, width, channels]`, with a line above."""
    height, width = canvas.shape[:2]
    figure = Figure(figsize=(6, 6 * height / width + (0.3 if title else 0)), layout="constrained")
    axis = figure.subplots()
    show(axis, canvas)
    axis.set_title(title, fontsize=9)
    return figure


def labelled_grid(
    images: Any, rows: Sequence[str] = (), columns: Sequence[str] = (), title: str = "", cell: float = _CELL
) -> tuple[Figure, Any]:
    """Draw images in a grid whose rows and columns have names.

    Args:
        images: `[rows, columns, height, width, channels]`.
        rows: Names at the left, from top to bottom; or none.
        columns: Names below, from left to right; or none.
        title: A line above.
        cell: Inches an image is wide.

    Returns:
        The figure and its axis.

    Raises:
        ValueError: If the images are not of rank 5, there are none, or the names are not as many.
    """
    images = np.asarray(images)
    if images.ndim != 5 or images.size == 0:
        raise ValueError(
            f"wanted images in rows and columns, [rows, columns, height, width, channels]; received shape "
            f"{images.shape}"
        )
    for names, count, what in ((rows, images.shape[0], "rows"), (columns, images.shape[1], "columns")):
        if len(names) not in (0, count):
            raise ValueError(f"wanted a name for each of {count} {what}; received {len(names)}: {list(names)}")
    height, width = images.shape[2] + 1, images.shape[3] + 1
    size = (
        max(2.5, cell * images.shape[1] + 0.6),
        cell * images.shape[0] * height / width + 0.7,
    )
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    show(axis, tile(images.reshape(-1, *images.shape[2:]), images.shape[1]))
    axis.set_yticks([height * (i + 0.5) for i in range(len(rows))], rows)
    axis.set_xticks([width * (i + 0.5) for i in range(len(columns))], columns)
    axis.tick_params(length=0)
    axis.set_title(title, fontsize=9)
    return figure, axis


def number(value: float, form: str) -> str:
    """Return a number as a label, with a true minus sign.

    Example:
        >>> number(-0.5, ".2f")
        '−0.50'
    """
    return format(float(value), form).replace("-", "−")


def show(axis: Any, canvas: np.ndarray) -> None:
    """Show a canvas, `[height, width, channels]`, values in [0, 1], without a frame."""
    image = canvas[..., 0] if canvas.shape[-1] == 1 else canvas
    axis.imshow(np.clip(image, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_frame_on(False)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure; the file appears whole or not at all."""
    with whole(path) as unfinished:
        figure.savefig(unfinished, dpi=150, bbox_inches="tight", pad_inches=0.05)
