"""Images with more and more of an attribute."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_vae.plots.drawing import labelled_grid, number, save


def save_attribute(path: str | os.PathLike[str], images: Any, strengths: Sequence[float], title: str = "") -> None:
    """Save images with an attribute added: one image a column, one strength a row.

    Args:
        path: Where to.
        images: As `keras_vae.latent.add_attribute` returns them, `[n, strengths, height, width, channels]`.
        strengths: The strengths, for the rows' names.
        title: A line above, such as the attribute's name.

    Example:
        >>> import tempfile
        >>> save_attribute(tempfile.mkdtemp() + "/smile.png", np.zeros([4, 3, 8, 8, 1]), [-1, 0, 1], "smile")
    """
    images = np.asarray(images)
    rows = [number(strength, "+g") if strength else "0" for strength in strengths]
    by_strength = np.swapaxes(images, 0, 1) if images.ndim == 5 else images
    figure, _ = labelled_grid(by_strength, rows, title=title)
    save(figure, path)
