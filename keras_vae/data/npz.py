"""Images in a NumPy `.npz` file."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from keras_vae.data.arrays import from_array
from keras_vae.data.examples import Examples


def from_npz(path: Path, split: str) -> Examples:
    """Read images, and labels where there are any, from an `.npz` file.

    The file either has an array for each split, `x_train` and `x_test` (labels `y_train` and `y_test`), as
    Keras' own `mnist.npz`; or one array `x` or `images` (labels `y` or `labels`) for the splits "train" and
    "all".

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or has no images for the split, or `from_array` refuses them.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}; wanted an .npz file of images")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an .npz file. Write it with np.savez")
    with np.load(path, allow_pickle=False) as arrays:
        x, y = _keys(arrays.files, split, path)
        try:
            images, labels = arrays[x], arrays[y] if y in arrays.files else None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read: {error}. Write it with np.savez, without objects") from error
    return from_array(images, labels, f"{path}[{x!r}]")


def _keys(found: list[str], split: str, path: Path) -> tuple[str, str]:
    """Return the keys of the split's images and labels."""
    candidates = [(f"x_{split}", f"y_{split}")]
    if split in ("train", "all"):
        candidates += [("x", "y"), ("images", "labels")]
    for keys in candidates:
        if keys[0] in found:
            return keys
    raise ValueError(
        f"{path} has no images for split {split!r}: its keys are {sorted(found)}. Wanted "
        f"'x_{split}' (labels 'y_{split}'), or for the splits 'train' and 'all' alone 'x' ('y') or 'images' "
        "('labels'). To evaluate on a file with one array, pass split='all'"
    )
