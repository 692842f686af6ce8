"""Reading a `tf.data.Dataset` of single images into memory."""

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.data.array_source import from_array
from keras_vae.data.examples import Examples, check_memory

_READ_AT_ONCE = 256
_SHOW_PROGRESS_ABOVE = 10_000


def from_dataset(dataset: tf.data.Dataset, name: str = "The tf.data.Dataset") -> Examples:
    """Read a finite, unbatched dataset of images, or of (image, label) pairs, once.

    Args:
        dataset: Elements are `[height, width]` or `[height, width, channels]`, all of one size; uint8, bool,
            or float in [0, 1]; alone or in a pair with an integer label, or k of them, `[k]`.
        name: Its name in error messages.

    Raises:
        ValueError: If the elements have another structure, are batched, have different sizes, never end, or need more
            memory than allowed, or if `from_array` rejects the images.
    """
    _check(dataset, name)
    count = int(dataset.cardinality())
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    size = 0
    with tqdm(desc=name, total=count, unit="image", disable=count < _SHOW_PROGRESS_ABOVE) as progress:
        try:
            for batch in dataset.batch(_READ_AT_ONCE).as_numpy_iterator():
                parts = batch if isinstance(batch, tuple) else (batch,)
                images.append(parts[0])
                labels.extend(parts[1:])
                size += images[-1].nbytes
                check_memory(size, name)
                progress.update(len(images[-1]))
        except tf.errors.InvalidArgumentError as error:
            if "batch tensors with different shapes" not in error.message:
                raise
            raise ValueError(
                f"{name}: expected images of one size, received different ones ({error.message}). Resize them, "
                "for example with dataset.map(lambda x: tf.cast(tf.image.resize(x, (64, 64)), tf.uint8))."
            ) from error
    if not images:
        raise ValueError(f"{name}: expected at least one image, received none. Check the filters of the pipeline.")
    return from_array(np.concatenate(images), np.concatenate(labels) if labels else None, name)


def _check(dataset: tf.data.Dataset, name: str) -> None:
    spec = dataset.element_spec
    parts = spec if isinstance(spec, tuple) else (spec,)
    if len(parts) > 2 or not all(isinstance(part, tf.TensorSpec) for part in parts):
        raise ValueError(
            f"{name}: expected elements image or (image, label), received {spec}. Map it to one of these (TFDS: "
            "tfds.load(..., as_supervised=True))."
        )
    rank = parts[0].shape.rank
    if rank is not None and rank not in (2, 3):
        advice = "Call .unbatch() on it" if rank == 4 else "Map it to images"
        raise ValueError(
            f"{name}: expected single images, [height, width] or [height, width, channels], received elements of shape "
            f"{parts[0].shape}. {advice}"
        )
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            f"{name}: expected a finite dataset, received an endless one. Remove .repeat(), or add .take(n)."
        )
