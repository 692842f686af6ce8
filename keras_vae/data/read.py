"""Reading any source of images into memory."""

import difflib
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from keras_vae.data import tfds_source
from keras_vae.data.array_source import from_array
from keras_vae.data.examples import Examples
from keras_vae.data.file_source import from_folder, from_npz
from keras_vae.data.tf_data_source import from_dataset

Source: TypeAlias = str | os.PathLike[str] | np.ndarray | tf.data.Dataset | Examples

_FORMS = (
    "the name of a TFDS set ('mnist_5k', 'shapes', 'mnist', 'fashion_mnist:3.*.*'), the path of a folder of images "
    "or of an .npz file, a NumPy array [n, height, width(, channels)], or an unbatched tf.data.Dataset of "
    "images"
)
_SPLITS = ("train", "validation", "test", "all")


def read(
    source: Source,
    split: str = "train",
    *,
    image_size: tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Examples:
    """Read a set of images, with labels where there are any, into memory as bytes.

    A string that ends in `.npz` is a file; else, if TFDS knows the name, a TFDS set; else a folder. A
    `pathlib.Path` is always a file or a folder.

    Args:
        source: One of: "mnist_5k", "shapes" or another TFDS name, with its image in the feature `image`, as `name`,
            `name/config` or `name:version`; a folder of images; an `.npz` file; an array
            `[n, height, width(, channels)]`; an unbatched `tf.data.Dataset` of images or (image, label)
            pairs; or `Examples`, returned as they are.
        split: "train", "test" or whatever else the source is divided into. An array, a dataset and `Examples`
            are one set whatever the split.
        image_size: `(height, width)`, for folders only: resize the images.
        data_dir: For TFDS only: the folder of prepared sets. By default `TFDS_DATA_DIR` or
            `~/tensorflow_datasets`; the second also where the first lacks the set and is read-only.

    Returns:
        The images `[n, height, width, channels]`, uint8, bool or float32, and the labels, int32 or None: `[n]`; or
        `[n, k]` where k factors of each image are known. In TFDS sets the labels are the feature `label`, or else
        all features `label_...` in the set's order.

    Raises:
        FileNotFoundError: If a path does not exist, or a TFDS set is not prepared and cannot be.
        ValueError: If the source or the split is unknown, or the images are empty, of different sizes, of
            another rank or dtype, out of range, or more than 8 GiB.

    Example:
        >>> import numpy as np
        >>> examples = read(np.arange(256, dtype="uint8").reshape(4, 8, 8))
        >>> len(examples), examples.image_shape
        (4, (8, 8, 1))
    """
    if not isinstance(split, str):
        raise ValueError(f"split={split!r}; wanted a string, such as 'train' or 'test'")
    if isinstance(source, (np.ndarray, tf.data.Dataset, Examples)):
        _refuse_image_size(image_size)
        if split.split("[")[0] not in _SPLITS:
            raise ValueError(f"Unknown split {split!r}; wanted one of {', '.join(map(repr, _SPLITS))}")
        if isinstance(source, Examples):
            return source
        return from_array(source) if isinstance(source, np.ndarray) else from_dataset(source)
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(f"source is {source!r:.80}, a {type(source).__name__}; wanted {_FORMS}")

    path = Path(source).expanduser()
    if path.suffix.lower() == ".npz":
        _refuse_image_size(image_size)
        return from_npz(path, split)
    if isinstance(source, str):
        builder = tfds_source.find(source, data_dir)
        if builder is not None:
            _refuse_image_size(image_size)
            return tfds_source.from_builder(builder, split)
        if not source or not path.is_dir():
            raise ValueError(_unknown(source))
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {str(path)!r}")
    if not path.is_dir():
        raise ValueError(f"{str(path)!r} is not a folder and does not end in .npz; wanted {_FORMS}")
    return from_folder(path, split, image_size)


def _refuse_image_size(image_size: tuple[int, int] | None) -> None:
    if image_size is not None:
        raise ValueError(f"image_size={image_size!r} is for folders of images; resize other images beforehand")


def _unknown(source: str) -> str:
    close = difflib.get_close_matches(source, tfds_source.registered(), n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"{source!r} is neither a set that TFDS knows nor an existing folder.{hint} Wanted {_FORMS}"
