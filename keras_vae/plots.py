"""Pictures of data, samples, reconstructions and latents."""

import math
import os
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_vae.files import whole


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


def save_grid(path: str | os.PathLike[str], images: Any, columns: int | None = None, title: str = "") -> None:
    """Save images in a grid as a picture.

    Args:
        path: Where to; the suffix decides the format, such as `.png`.
        images: `[n, height, width, channels]`.
        columns: Images a row.
        title: A line above.
    """
    figure = _figure(tile(images, columns), title)
    _save(figure, path)


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
        _show(axis, tile(images, len(images)))
        axis.set_ylabel(name, fontsize=8)
    _save(figure, path)


def save_traversals(path: str | os.PathLike[str], model: Any, x: Any, latents: int = 10) -> None:
    """Save what each latent does: one image's latents changed one at a time, from −3 to 3.

    The latents shown are those whose posterior mean varies most over `x` (Burda, Grosse & Salakhutdinov 2016:
    a latent is active if that variance is above 0.01).

    Args:
        path: Where to.
        model: A VAE of images, its latent a vector.
        x: Images, `[n, height, width, channels]`; the first is changed.
        latents: How many latents to show, at most.
    """
    means = np.asarray(model.encode(x)["mean"])
    variance = means.var(axis=0)
    chosen = np.argsort(variance)[::-1][:latents]
    values = np.linspace(-3, 3, 11, dtype=np.float32)
    z = np.tile(means[0], (len(chosen), len(values), 1))
    for row, latent in enumerate(chosen):
        z[row, :, latent] = values
    images = np.asarray(model.decode(z.reshape(-1, means.shape[1]))["mean"])
    figure = Figure(figsize=(7.5, 0.66 * len(chosen) + 0.7), layout="constrained")
    axis = figure.subplots()
    _show(axis, tile(images, len(values)))
    height, width = images.shape[1] + 1, images.shape[2] + 1
    axis.set_yticks(
        [height * (row + 0.5) for row in range(len(chosen))],
        [f"$z_{{{latent}}}$  {variance[latent]:.2f}" for latent in chosen],
    )
    axis.set_xticks([width * (i + 0.5) for i in range(len(values))], [f"{v:.1f}" for v in values])
    axis.set_title("One latent changed at a time (beside its name: variance of its posterior mean)", fontsize=9)
    _save(figure, path)


def save_history(path: str | os.PathLike[str], entries: list[dict[str, float]]) -> None:
    """Save the bound against epochs, for training and validation, in nats per example.

    Args:
        path: Where to.
        entries: As `keras_vae.training.read_history` returns them.
    """
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axis = figure.subplots()
    for name, label in (("bound", "training"), ("val_bound", "test")):
        axis.plot([e["epoch"] for e in entries], [e[name] for e in entries], label=label)
    axis.set_xlabel("epoch")
    axis.set_ylabel("bound, nats per example")
    axis.legend()
    _save(figure, path)


def _figure(canvas: np.ndarray, title: str) -> Figure:
    height, width = canvas.shape[:2]
    figure = Figure(figsize=(6, 6 * height / width + (0.3 if title else 0)), layout="constrained")
    axis = figure.subplots()
    _show(axis, canvas)
    axis.set_title(title, fontsize=9)
    return figure


def _show(axis: Any, canvas: np.ndarray) -> None:
    image = canvas[..., 0] if canvas.shape[-1] == 1 else canvas
    axis.imshow(np.clip(image, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_frame_on(False)


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    with whole(path) as unfinished:
        figure.savefig(unfinished, dpi=150, bbox_inches="tight", pad_inches=0.05)
