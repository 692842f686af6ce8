"""Reads images and tables from any source into memory."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import tensorflow as tf

from keras_vae.data import tfds_source
from keras_vae.data.array_source import from_array
from keras_vae.data.csv_source import from_csv
from keras_vae.data.examples import Column, Examples, UnknownSplitError
from keras_vae.data.file_source import from_folder, from_npz
from keras_vae.data.frame_source import from_frame
from keras_vae.data.tf_data_source import from_dataset
from keras_vae.utils.arguments import one_line

Source: TypeAlias = str | os.PathLike[str] | np.ndarray | pd.DataFrame | tf.data.Dataset | Examples

_FORMS = (
    "the name of a TFDS set ('mnist_5k', 'shapes', 'mnist', 'fashion_mnist:3.*.*'), the path of a folder of images "
    "or an .npz file, a NumPy array [n, height, width(, channels)], an unbatched tf.data.Dataset of images, or the "
    "path of a .csv file or a pandas DataFrame"
)
_SPLITS = ("train", "validation", "test", "all")


def read(
    source: Source,
    split: str = "train",
    *,
    image_size: tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    columns: Sequence[Column] | None = None,
) -> Examples:
    """Read a set of images, with labels where there are any, into memory as bytes; or a table, as numbers.

    A string that ends in `.npz` or `.csv` is a file. Any other string is a TFDS set if TFDS knows the name, and a
    folder if not. A `pathlib.Path` is always a file or a folder.

    Args:
        source: One of: "mnist_5k", "shapes" or another TFDS name, with its image in the feature `image`, as `name`,
            `name/config` or `name:version`; a folder of images; an `.npz` file; an array
            `[n, height, width(, channels)]`; an unbatched `tf.data.Dataset` of images or (image, label)
            pairs; or `Examples`, which are returned unchanged. For tables, a `.csv` file with a header, or a pandas
            DataFrame: floats are real values, integers counts, booleans 0 or 1, and text and pandas categories one-hot.
        split: "train", "test" or another split of the source. An array, a dataset, a DataFrame and `Examples` have only
            one. In a `.csv` file, about one row in ten is in "test", by a hash of its number.
        image_size: `(height, width)`, for folders only: resize the images.
        data_dir: For TFDS only: the folder of prepared sets. By default `TFDS_DATA_DIR` or
            `~/tensorflow_datasets`; the second also if the first is read-only and lacks the set.
        columns: For tables only: `columns` of another table, to read this one with the same kinds and vocabularies.

    Returns:
        The images `[n, height, width, channels]`, uint8, bool or float32, and the labels, int32 or None: `[n]`,
        or `[n, k]` if k factors of each image are known. In TFDS sets the labels are the feature `label`, or else all
        features `label_...` in the set's order. Of a table, `images` are its rows, `[n, width]`, and `columns` their
        names, kinds, places and vocabularies.

    Raises:
        FileNotFoundError: If a path does not exist, or a TFDS set is not prepared and cannot be.
        ValueError: If the source or the split is unknown, or the images are empty, have different sizes, another rank
            or dtype, are out of range, or need more than 8 GiB. Of tables: if the file is no CSV file with a header, or
            cells are missing, infinite, dates, or text among numbers.

    Example:
        >>> import numpy as np
        >>> examples = read(np.arange(256, dtype="uint8").reshape(4, 8, 8))
        >>> len(examples), examples.image_shape
        (4, (8, 8, 1))
    """
    if not isinstance(split, str):
        raise ValueError(f"split: expected a string, received {one_line(split)}. Use 'train' or 'test'.")
    table = isinstance(source, pd.DataFrame) or (
        isinstance(source, (str, os.PathLike)) and Path(source).suffix.lower() == ".csv"
    )
    if columns is not None and not table:
        raise ValueError(
            f"columns: expected None except for tables, received {one_line(columns)}. Pass a .csv file or a DataFrame."
        )
    if isinstance(source, (np.ndarray, pd.DataFrame, tf.data.Dataset, Examples)):
        _refuse_image_size(image_size)
        if split.split("[")[0] not in _SPLITS:
            raise UnknownSplitError(
                f"split: expected one of {', '.join(map(repr, _SPLITS))}, received {one_line(split)}. Use one of these."
            )
        if isinstance(source, Examples):
            return source
        if isinstance(source, pd.DataFrame):
            return from_frame(source, columns=columns)
        return from_array(source) if isinstance(source, np.ndarray) else from_dataset(source)
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(
            f"source: expected {_FORMS}, received {one_line(source)}, a {type(source).__name__}. Use one of these."
        )

    path = Path(source).expanduser()
    if path.suffix.lower() == ".npz":
        _refuse_image_size(image_size)
        return from_npz(path, split)
    if table:
        _refuse_image_size(image_size)
        return from_csv(path, split, columns)
    if isinstance(source, str):
        builder = tfds_source.find(source, data_dir)
        if builder is not None:
            _refuse_image_size(image_size)
            return tfds_source.from_builder(builder, split)
        if not source or not path.is_dir():
            raise ValueError(_unknown(source))
    if not path.exists():
        raise FileNotFoundError(
            f"source: expected a file or a folder, received {str(path)!r}, which does not exist. Check the path."
        )
    if not path.is_dir():
        raise ValueError(f"source: expected {_FORMS}, received {str(path)!r}, another kind of file. Use one of these.")
    return from_folder(path, split, image_size)


def _refuse_image_size(image_size: tuple[int, int] | None) -> None:
    if image_size is not None:
        raise ValueError(
            f"image_size: expected None except for folders, received {one_line(image_size)}. "
            "Resize other images beforehand."
        )


def _unknown(source: str) -> str:
    close = difflib.get_close_matches(source, tfds_source.registered(), n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return (
        f"source: expected {_FORMS}, received {one_line(source)}, neither known to TFDS nor a folder.{hint} "
        "Check the spelling"
    )
