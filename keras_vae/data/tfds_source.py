"""Sets by their TFDS name."""

import contextlib
import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.data.examples import Examples, Factor, check_memory
from keras_vae.data.tf_data_source import from_dataset

# name, name/config, name:version; namespaces (huggingface:...) need a network even to be looked up.
_NAME = re.compile(r"[a-z]\w*(/[\w.\-]+)?(:(\d+|\*)(\.(\d+|\*)){0,2})?", re.IGNORECASE)
# Of the features that hold a known factor each.
_LABEL = "label_"


def find(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
    """Return the TFDS builder of a name, or None if TFDS knows no such set.

    The data folder is `data_dir`; or else the first that holds the prepared set, or can be written to, of
    those registered with TFDS, `TFDS_DATA_DIR` and `~/tensorflow_datasets`.

    Raises:
        ValueError: If TFDS knows the set but not the version or the configuration.
    """
    if not _NAME.fullmatch(name):
        return None
    import tensorflow_datasets as tfds  # slow, and not needed for files and arrays

    import keras_vae.data.mnist_5k
    import keras_vae.data.shapes  # noqa: F401  (both register themselves)

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if data_dir is not None or builder.data_path.exists():
            return builder
        home = Path("~/tensorflow_datasets").expanduser()
        in_home = tfds.builder(name, data_dir=home)
    except tfds.core.DatasetNotFoundError:
        return None
    except (AssertionError, ValueError) as error:
        raise ValueError(
            f"{name!r} is not a version or configuration that TFDS knows: {error} If it is a folder, pass a "
            "pathlib.Path"
        ) from error
    return in_home if in_home.data_path.exists() or not _writable(Path(builder.data_dir)) else builder


def registered() -> list[str]:
    """Return the names of all sets that TFDS can build."""
    import tensorflow_datasets as tfds

    import keras_vae.data.mnist_5k
    import keras_vae.data.shapes  # noqa: F401  (both register themselves)

    return tfds.list_builders(with_community_datasets=False)


def from_builder(builder: Any, split: str) -> Examples:
    """Read a split of a TFDS set into memory, preparing the set if need be.

    Args:
        builder: From `find`.
        split: Any split that TFDS understands, such as "test" or "train[:10%]".

    Raises:
        FileNotFoundError: If the set is not prepared and cannot be, for want of a network for instance.
        ValueError: If it has no such split, no 8-bit `image` feature, or is larger than memory may hold.
    """
    import tensorflow_datasets as tfds

    name = f"The TFDS set {builder.info.full_name!r}, split {split!r}"
    declared = builder.info.features
    features = dict(declared.items()) if isinstance(declared, tfds.features.FeaturesDict) else {}
    image = features.get("image")
    if not isinstance(image, tfds.features.Image):
        raise ValueError(
            f"{name} has no feature 'image' that is an image; its features are {', '.join(features) or declared}"
        )
    _prepare(builder)
    try:
        count = builder.info.splits[split].num_examples
    except (KeyError, ValueError) as error:
        splits = ", ".join(map(repr, builder.info.splits))
        raise ValueError(f"{name} does not exist; wanted one of {splits}, 'all', or a part: 'train[:10%]'") from error
    height, width, channels = (side or 1 for side in image.shape)
    check_memory(count * height * width * channels * np.dtype(image.np_dtype).itemsize, name)
    labels = _labels(features)

    def pair(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        y = [example[key] for key in labels]
        return (example["image"], tf.stack(y, axis=-1)) if y else (example["image"],)

    examples = from_dataset(builder.as_dataset(split=split).map(pair), name)
    known = tuple(_factor(key, feature) for key, feature in labels.items())
    return dataclasses.replace(examples, factors=known if len(known) > 1 else ())


def _labels(features: dict[str, Any]) -> dict[str, Any]:
    """Return the feature `label`; else all features `label_...`, as TFDS's sets of known factors name them."""
    import tensorflow_datasets as tfds

    classes = {key: feature for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)}
    if "label" in classes:
        return {"label": classes["label"]}
    return {key: feature for key, feature in classes.items() if key.startswith(_LABEL)}


def _factor(key: str, feature: Any) -> Factor:
    # TFDS numbers the classes of a feature that was given no names.
    return Factor(key.removeprefix(_LABEL), feature.num_classes, all(name.isdecimal() for name in feature.names))


def _prepare(builder: Any) -> None:
    if builder.data_path.exists():
        return
    try:
        # TFDS announces itself on stdout, where a program's own results may go.
        with contextlib.redirect_stdout(sys.stderr):
            builder.download_and_prepare()
    except Exception as error:  # builders run anyone's code
        raise FileNotFoundError(
            f"The TFDS set {builder.info.full_name!r} is not prepared in {builder.data_dir}, and preparing "
            f"it there failed: {type(error).__name__}: {error}. Prepare it where there is a network, with "
            "tfds build or tfds.load, and pass its folder as data_dir or TFDS_DATA_DIR; or use 'mnist_5k', "
            "which needs no network"
        ) from error


def _writable(path: Path) -> bool:
    """Tell whether a folder could be made at the path."""
    existing = next(p for p in (path, *path.parents) if p.exists())
    # Root may write anywhere; a folder that nobody may write to is meant to stay as it is.
    marked_read_only = not existing.stat().st_mode & 0o222
    return existing.is_dir() and os.access(existing, os.W_OK) and not marked_read_only
