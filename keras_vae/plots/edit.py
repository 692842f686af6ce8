"""Images before and after their latents were changed."""

import os
from typing import Any

import numpy as np

from keras_vae.plots.drawing import labelled_grid, save


def save_edit(path: str | os.PathLike[str], before: Any, after: Any, title: str = "") -> None:
    """Save images above what became of them.

    Args:
        path: Where to.
        before: `[n, height, width, channels]`: the data, or better their reconstructions, which differ from `after`
            by the edit alone.
        after: The images of `keras_vae.latent.edit`, the same shape.
        title: A line above, such as the change.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> import tempfile
        >>> save_edit(tempfile.mkdtemp() + "/edit.png", np.zeros([4, 8, 8, 1]), np.ones([4, 8, 8, 1]))
    """
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape:
        raise ValueError(
            f"save_edit: wanted as many images after as before; received shapes {before.shape} and {after.shape}"
        )
    figure, _ = labelled_grid(np.stack([before, after]), rows=["before", "after"], title=title)
    save(figure, path)
