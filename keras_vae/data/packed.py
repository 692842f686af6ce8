"""Batches as bytes, whose noise is drawn where they are used: inside the compiled step, on the device."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.data.noise import uniform
from keras_vae.data.preprocess import binarize, dequantize, gray

Packed = dict[str, Any]

# In the name, so that a dict of the user's is not taken for a packed batch.
_KEY = "keras_vae.packed."


def _dynamic(pixels: tf.Tensor, seed: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    return tf.cast(binarize(pixels, _noise(pixels, seed, start)), tf.float32)


def _dequantized(pixels: tf.Tensor, seed: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    return dequantize(pixels, _noise(pixels, seed, start))


def _noise(pixels: tf.Tensor, seed: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    return uniform(seed, start, tf.shape(pixels)[0], pixels.shape[1:])


_STEPS: dict[str, Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "dynamic": _dynamic,
    "dequantized": _dequantized,
    "gray": lambda pixels, seed, start: gray(pixels),
}


def pack(preprocess: str, pixels: tf.Tensor, start: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None) -> Packed:
    """Return a batch that `unpack` turns into x, or (x, y). Each part has the batch's axis, so that it can be split.

    Args:
        preprocess: "dynamic", "dequantized" or "gray".
        pixels: `[batch, height, width, channels]`.
        start: The first example's place in the stream of noise.
        seed: Of that stream, `[2]` int32.
        labels: `[batch]` or `[batch, k]`, or None.
    """
    count = tf.shape(pixels)[0]
    place = tf.cast(start, tf.int64) + tf.range(count, dtype=tf.int64)
    parts = {"pixels": pixels, "place": place, "seed": tf.repeat(seed[None], count, axis=0)}
    return {_KEY + preprocess: parts if labels is None else {**parts, "labels": labels}}


def is_packed(batch: Any) -> bool:
    """Say whether a batch comes from `pack`."""
    return isinstance(batch, dict) and len(batch) == 1 and next(iter(batch)).startswith(_KEY)


def unpack(batch: Packed) -> Any:
    """Return x, `[batch, height, width, channels]` float32, or (x, y), as `data.load` gives them, up to rounding.

    Under XLA, whose generator makes other numbers of the same seed, the noise is another of the same law.
    """
    ((key, parts),) = batch.items()
    # Of an empty part of a batch there is no first row; any numbers will do.
    seed = tf.concat([parts["seed"], [[0, 0]]], 0)[0]
    start = tf.concat([parts["place"], [0]], 0)[0]
    x = _STEPS[key.removeprefix(_KEY)](parts["pixels"], seed, start)
    return (x, parts["labels"]) if "labels" in parts else x


def possible_values(preprocess: str, images: np.ndarray) -> np.ndarray | None:
    """Return all kinds of values that x may have, few of them; None if that cannot be told without the noise."""
    if preprocess == "dynamic" or images.dtype == np.bool_:
        return np.array([0, 1], np.float32)
    if images.dtype != np.uint8:
        return None
    levels = np.arange(256, dtype=np.uint8)
    if preprocess == "gray":
        return gray(tf.constant(levels)).numpy()
    return dequantize(
        tf.constant(levels[:, None]), tf.constant(np.array([[0.0, 0.3, 0.7, 1 - 2**-24]], np.float32))
    ).numpy()
