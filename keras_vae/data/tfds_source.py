"""Images from TensorFlow Datasets, by name."""

import contextlib
import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.data.examples import Examples, Factor, UnknownSplitError, check_memory
from keras_vae.data.tf_data_source import from_dataset
from keras_vae.utils.arguments import one_line

# name, name/config, name:version; namespaces (huggingface:...) need a network even to be looked up.
_NAME = re.compile(r"[a-z]\w*(/[\w.\-]+)?(:(\d+|\*)(\.(\d+|\*)){0,2})?", re.IGNORECASE)
# The prefix of features that hold one known factor each.
_LABEL = "label_"


def find(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
    """Return the TFDS builder of a name, or None if TFDS knows no such set.

    The data folder is `data_dir`, or the first of those registered with TFDS, `TFDS_DATA_DIR` and
    `~/tensorflow_datasets` that holds the prepared set or is writable.

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
            f"source: expected a version and configuration that TFDS knows, received {name!r} ({error}). If it is a "
            "folder, pass a pathlib.Path."
        ) from error
    return in_home if in_home.data_path.exists() or not _writable(Path(builder.data_dir)) else builder


def registered() -> list[str]:
    """Return the names of all sets that TFDS can build."""
    import tensorflow_datasets as tfds

    import keras_vae.data.mnist_5k
    import keras_vae.data.shapes  # noqa: F401  (both register themselves)

    return tfds.list_builders(with_community_datasets=False)


def from_builder(builder: Any, split: str) -> Examples:
    """Read a split of a TFDS set into memory, preparing the set if necessary.

    Args:
        builder: From `find`.
        split: Any split that TFDS understands, such as "test" or "train[:10%]".

    Raises:
        FileNotFoundError: If the set is not prepared and cannot be, for example without a network.
        ValueError: If it has no such split, no 8-bit `image` feature, or needs more memory than allowed.
    """
    import tensorflow_datasets as tfds

    name = f"TFDS set {builder.info.full_name!r}, split {split!r}"
    declared = builder.info.features
    features = dict(declared.items()) if isinstance(declared, tfds.features.FeaturesDict) else {}
    image = features.get("image")
    if not isinstance(image, tfds.features.Image):
        raise ValueError(
            f"{name}: expected a feature 'image', received {', '.join(features) or declared}. Map the set to "
            "(image, label) pairs and pass that tf.data.Dataset."
        )
    _prepare(builder)
    try:
        count = builder.info.splits[split].num_examples
    except (KeyError, ValueError) as error:
        splits = ", ".join(map(repr, builder.info.splits))
        raise UnknownSplitError(
            f"{name}: expected one of {splits}, 'all', or a part such as 'train[:10%]', received "
            f"{one_line(split)}. Use one."
        ) from error
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
    """Return the feature `label`, or else all features `label_...`, as TFDS names known factors."""
    import tensorflow_datasets as tfds

    classes = {key: feature for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)}
    if "label" in classes:
        return {"label": classes["label"]}
    return {key: feature for key, feature in classes.items() if key.startswith(_LABEL)}


def _factor(key: str, feature: Any) -> Factor:
    # TFDS uses numbers as the names of unnamed classes.
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
            f"TFDS set {builder.info.full_name!r}: expected it prepared in {builder.data_dir}, received "
            f"{type(error).__name__} while preparing it: {error}. Prepare it on a machine with a network, with tfds "
            "build or tfds.load, and pass its folder as data_dir or TFDS_DATA_DIR. Or use 'mnist_5k', which needs no "
            "network."
        ) from error


def _writable(path: Path) -> bool:
    """Return whether a folder could be created at the path."""
    existing = next(p for p in (path, *path.parents) if p.exists())
    # Root may write anywhere, but a folder that nobody may write to should stay unchanged.
    marked_read_only = not existing.stat().st_mode & 0o222
    return existing.is_dir() and os.access(existing, os.W_OK) and not marked_read_only
