"""Data and what the model makes of them."""

import os
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_vae.plots.drawing import save, show
from keras_vae.plots.tiles import tile


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
