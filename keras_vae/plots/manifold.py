"""The plane of two latents."""

import os

import numpy as np

from keras_vae.latent import Decoded
from keras_vae.plots.drawing import labelled_grid, number, save

# About as many numbers as fit below the grid.
_TICKS = 10


def save_manifold(path: str | os.PathLike[str], manifold: Decoded) -> None:
    """Save the plane of a model with two latents, which are named along the sides.

    Args:
        path: Where to.
        manifold: As `keras_vae.latent.manifold` returns it: images `[size, size, height, width, channels]` and z.

    Example:
        >>> import tempfile
        >>> plane = Decoded(np.zeros([3, 3, 8, 8, 1]), np.zeros([3, 3, 2]))
        >>> save_manifold(tempfile.mkdtemp() + "/manifold.png", plane)
    """
    images, z = manifold
    columns, rows = (_names(values) for values in (z[0, :, 0], z[:, 0, 1]))
    size = max(len(images), 8)
    figure, axis = labelled_grid(images, rows, columns, "What the two latents mean", cell=7 / size)
    axis.tick_params(labelsize=8)
    axis.set_xlabel("$z_0$")
    axis.set_ylabel("$z_1$")
    save(figure, path)


def _names(values: np.ndarray) -> list[str]:
    """Return a number for every so many images, and the empty string for the others."""
    every = -(-len(values) // _TICKS)
    return [number(value, ".1f") if i % every == 0 else "" for i, value in enumerate(values)]
