"""Samples of a conditional model, class by class."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_vae.plots.drawing import labelled_grid, save


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
    figure, _ = labelled_grid(images, [str(name) for name in (range(len(images)) if names is None else names)])
    save(figure, path)
