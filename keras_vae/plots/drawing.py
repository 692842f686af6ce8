"""What all plots share: the figure itself, tiles of images, named rows and columns, writing a file."""

import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_vae.utils.arrays import as_array
from keras_vae.utils.files import whole

# Inches a cell of a labeled grid takes: room enough for a number under each column.
_CELL = 0.66
# More classes than this leave no room for a number in each cell.
_WRITTEN = 12


class Plot(Figure):
    """A figure that pyplot does not hold: it is freed with its last reference, and a notebook shows it.

    Example:
        >>> plot = Plot(figsize=(1, 1))
        >>> plot._repr_png_()[1:4]
        b'PNG'
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", bbox_inches="tight")
        return buffer.getvalue()


def one_canvas(canvas: np.ndarray, title: str) -> Figure:
    """Draw one canvas, `[height, width, channels]`, with a title."""
    height, width = canvas.shape[:2]
    figure = Plot(figsize=(6, 6 * height / width + (0.3 if title else 0)), layout="constrained")
    axis = figure.subplots()
    show(axis, canvas)
    axis.set_title(title, fontsize=9)
    return figure


def labeled_grid(
    images: Any, rows: Sequence[str] = (), columns: Sequence[str] = (), title: str = "", cell: float = _CELL
) -> tuple[Figure, Any]:
    """Draw images in a grid with named rows and columns.

    Args:
        images: `[rows, columns, height, width, channels]`.
        rows: Names of the rows, from top to bottom; or none.
        columns: Names of the columns, from left to right; or none.
        title: The title.
        cell: Width of an image in inches.

    Returns:
        The figure and its axis.

    Raises:
        ValueError: If the images are not of rank 5, there are none, or the number of names is wrong.
    """
    images = read(images, "plots: images")
    if images.ndim != 5 or images.size == 0:
        raise ValueError(
            "plots: images: expected shape [rows, columns, height, width, channels], received "
            f"{images.shape}. Reshape them."
        )
    for names, count, what in ((rows, images.shape[0], "rows"), (columns, images.shape[1], "columns")):
        if len(names) not in (0, count):
            raise ValueError(
                f"plots: names: expected one for each of {count} {what}, received {len(names)}: {list(names)}. Add or "
                "remove names."
            )
    height, width = images.shape[2] + 1, images.shape[3] + 1
    size = (
        max(2.5, cell * images.shape[1] + 0.6),
        cell * images.shape[0] * height / width + 0.7,
    )
    figure = Plot(figsize=size, layout="constrained")
    axis = figure.subplots()
    show(axis, tile(images.reshape(-1, *images.shape[2:]), images.shape[1]))
    axis.set_yticks([height * (i + 0.5) for i in range(len(rows))], rows)
    axis.set_xticks([width * (i + 0.5) for i in range(len(columns))], columns)
    axis.tick_params(length=0)
    axis.set_title(title, fontsize=9)
    return figure, axis


def number(value: float, form: str) -> str:
    """Format a number as a label, with a true minus sign.

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
    """Write a figure to a file atomically."""
    with whole(path) as unfinished:
        figure.savefig(unfinished, dpi=150, bbox_inches="tight", pad_inches=0.05)


def read(values: Any, name: str) -> np.ndarray:
    """Return numbers as a NumPy array.

    Raises:
        ValueError: If they cannot be read as one array of numbers.
    """
    return np.asarray(as_array(values, name))


def finished(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Return the figure, written to `path` first if there is one.

    Raises:
        ValueError: If the path is no name of a file, such as an argument that belongs elsewhere.
    """
    if path is not None:
        if not isinstance(path, str | os.PathLike):
            kind = type(path).__name__
            raise ValueError(f"plots: path: expected the name of a file, received a {kind}. Pass path='figure.png'.")
        save(figure, path)
    return figure


def to_array(figure: Figure) -> np.ndarray:
    """Return a figure's pixels, `[height, width, 3]` uint8, as `tf.summary.image` takes them.

    Example:
        >>> to_array(Figure(figsize=(2, 1), dpi=100)).shape
        (100, 200, 3)
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def tile(images: Any, columns: int | None = None) -> np.ndarray:
    """Tile images into one, row by row, with a thin white line between them.

    Args:
        images: `[n, height, width, channels]`, values in [0, 1].
        columns: Images per row; by default the grid is nearly square.

    Returns:
        `[height', width', channels]`.

    Raises:
        ValueError: If the images are not of rank 4, or there are none.

    Example:
        >>> tile(np.zeros([6, 28, 28, 1]), columns=3).shape
        (59, 88, 1)
    """
    images = read(images, "tile: images").astype(np.float32)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "tile: images: expected at least one image, [n, height, width, channels], received shape "
            f"{images.shape}. Reshape them."
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
    x, reconstructions = read(x, "pairs: x"), read(reconstructions, "pairs: reconstructions")
    if x.ndim == 0 or x.shape != reconstructions.shape:
        raise ValueError(
            f"pairs: expected reconstructions of the shape of x, {x.shape}, received {reconstructions.shape}. Pass one "
            "per image."
        )
    return np.stack([x, reconstructions], axis=1).reshape(-1, *x.shape[1:])


def draw_confusion(matrices: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draw confusion matrices side by side, in percent of each true class.

    Args:
        matrices: Counts by true class (row) and predicted class (column), `[classes, classes]`, keyed by title.
        names: Names of the classes.
    """
    side = max(3.2, min(7, 0.38 * len(names) + 1))
    figure = Plot(figsize=(side * len(matrices), side + 0.3), layout="constrained")
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    every = -(-len(names) // 25)  # more names would overlap
    for axis, (title, counts) in zip(axes, matrices.items(), strict=True):
        shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("predicted")
        axis.set_ylabel("true, % of the row")
        ticks = range(0, len(names), every)
        axis.set_xticks(ticks, [names[i] for i in ticks], fontsize=7)
        axis.set_yticks(ticks, [names[i] for i in ticks], fontsize=7)
        if len(names) <= _WRITTEN:
            for (row, column), share in np.ndenumerate(shares):
                if counts[row, column]:
                    text = f"{share:.0f}" if share >= 0.5 else "<1"
                    axis.text(
                        column,
                        row,
                        text,
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="white" if share > 50 else "black",
                    )
    return figure
