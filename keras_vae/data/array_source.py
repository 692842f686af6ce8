"""Images and labels in NumPy arrays: checks, and the layout of `Examples`."""

import numpy as np

from keras_vae.data.examples import Examples

_MAX_CHANNELS = 4


def from_array(images: np.ndarray, labels: np.ndarray | None = None, name: str = "The array") -> Examples:
    """Check images and labels, and bring them to the layout of `Examples`.

    Args:
        images: `[n, height, width]` or `[n, height, width, channels]`; uint8, bool, or float in [0, 1].
        labels: Integers `[n]` or `[n, 1]`, or `[n, k]` for k factors of each image, or None.
        name: The images' name in error messages.

    Returns:
        The examples; uint8 and bool images are not copied.

    Raises:
        ValueError: If the images are empty, out of range, or have another rank or dtype, or if the labels are not one
            integer per image, or k.

    Example:
        >>> import numpy as np
        >>> from_array(np.eye(4, dtype=bool)[None]).image_shape
        (4, 4, 1)
    """
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{name}: expected shape [n, height, width] or [n, height, width, channels], received {images.shape}. "
            "Reshape it, for example with x.reshape(-1, 28, 28, 1)."
        )
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.size == 0:
        raise ValueError(
            f"{name}: expected at least one image of one pixel, received shape {images.shape}. Pass images."
        )
    if images.shape[-1] > _MAX_CHANNELS:
        raise ValueError(
            f"{name}: expected 1 to {_MAX_CHANNELS} channels in [n, height, width, channels], received shape "
            f"{images.shape}. Move the channels last with np.moveaxis(x, 1, -1), or remove an extra batch axis."
        )
    return Examples(_pixels(images, name), _labels(labels, len(images), name), name)


def _pixels(images: np.ndarray, name: str) -> np.ndarray:
    if images.dtype == np.bool_:
        return images
    if np.issubdtype(images.dtype, np.floating):
        # A NaN passes through min and max, so two cheap passes find every bad value.
        low, high = float(images.min()), float(images.max())
        if not np.isfinite([low, high]).all():
            raise ValueError(f"{name}: expected finite values, received NaN or infinity. Remove or replace them.")
        if low < 0 or high > 1:
            raise ValueError(
                f"{name}: expected floats in [0, 1], received {images.dtype} from {low:g} to {high:g}. "
                "Pass 8-bit pixels as uint8, or scale the values."
            )
        return images.astype(np.float32)
    if np.issubdtype(images.dtype, np.integer) and images.max() <= 1 and images.min() >= 0:
        raise ValueError(
            f"{name}: expected 8-bit pixels from 0 to 255, received {images.dtype} with no value above 1. If the "
            "images are binary, pass them as bool: x.astype(bool), or in a tf.data.Dataset tf.cast(x, tf.bool)."
        )
    if images.dtype != np.uint8:
        raise ValueError(
            f"{name}: expected dtype uint8 (0 to 255), bool, or float in [0, 1], received {images.dtype}. "
            "Convert it, for example with x.astype('uint8') if its values are 0 to 255."
        )
    return images


def _labels(labels: np.ndarray | None, count: int, name: str) -> np.ndarray | None:
    if labels is None:
        return None
    right = labels.ndim in (1, 2) and labels.size > 0 and len(labels) == count
    if not right or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels of {name}: expected one integer per image, shape ({count},), or the integers of k factors, shape "
            f"({count}, k), received shape {labels.shape} and dtype {labels.dtype}. Convert them, for example with "
            "np.unique(y, return_inverse=True)[1]."
        )
    if labels.ndim == 2 and labels.shape[1] > 1 and _one_hot(labels):
        raise ValueError(
            f"labels of {name}: expected one integer per image, received one-hot rows of shape {labels.shape}. Use "
            "np.argmax(labels, axis=-1)."
        )
    labels = labels.reshape(count) if labels.shape == (count, 1) else labels
    limits = np.iinfo(np.int32)
    if labels.min() < limits.min or labels.max() > limits.max:
        raise ValueError(
            f"labels of {name}: expected 32-bit integers, received {labels.min()} to {labels.max()}. Number the "
            "classes from 0."
        )
    return labels.astype(np.int32)


def _one_hot(labels: np.ndarray) -> bool:
    return bool(np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=1) == 1))
