"""Where generated images go."""

from pathlib import Path

import numpy as np

from keras_vae import plots
from keras_vae.utils.files import whole


def check(path: str) -> None:
    """Refuse a path that cannot be written, before any work is done.

    Raises:
        ValueError: If the suffix is neither .png nor .npy.
        FileNotFoundError: If the folder does not exist.
    """
    if Path(path).suffix not in (".png", ".npy"):
        raise ValueError(f"--out must end in .png or .npy; received {path}")
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"The folder {Path(path).parent} does not exist; make it first")


def write(path: str, images: np.ndarray) -> None:
    """Write images as a grid (.png) or as an array (.npy)."""
    if Path(path).suffix == ".npy":
        with whole(path) as unfinished:
            np.save(unfinished, images)
    else:
        plots.save_grid(path, images)
    print(f"{path}: {len(images)} images")
