"""From one image to another."""

import os
from typing import Any

import numpy as np

from keras_vae.plots.drawing import labelled_grid, save


def save_interpolation(path: str | os.PathLike[str], images: Any) -> None:
    """Save the way from one image to another, from left to right.

    Args:
        path: Where to.
        images: As `keras_vae.latent.interpolate` returns them, `[steps, height, width, channels]`; or several ways,
            one a row, `[ways, steps, height, width, channels]`.

    Example:
        >>> import tempfile
        >>> save_interpolation(tempfile.mkdtemp() + "/way.png", np.zeros([9, 28, 28, 1]))
    """
    images = np.asarray(images)
    ways = images[None] if images.ndim == 4 else images
    columns = [f"{t:.2g}" for t in np.linspace(0, 1, ways.shape[1])] if ways.ndim == 5 else ()
    figure, _ = labelled_grid(ways, columns=columns, title="From the first image (0) to the last (1)")
    save(figure, path)
