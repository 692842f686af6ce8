"""Seeds: all noise is a function of integers, so that it can be reproduced anywhere.

There is one kind of seed: an argument `seed` is an integer from 0 to 2³¹ − 1, and equal seeds give equal results.
Measures and data default to 0; a model draws its own (`draw`). `seeds`, in the plural, are one 64-bit integer per row,
so that a row's noise does not depend on its batch; the `seed` of `VAE.sample` is the first of them.
"""

from numbers import Integral
from typing import Any

import numpy as np
import tensorflow as tf

# One stream of noise per use, so that no two uses share random numbers.
TRAIN, TEST, GENERATE, SCORE, EVALUATE, DRAW = range(6)


def stateless(seed: Any) -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, from an integer of up to 64 bits; a stateless seed is returned unchanged.

    Raises:
        ValueError: If `seed` is neither.
    """
    if isinstance(seed, Integral) and not isinstance(seed, bool):
        return tf.bitcast(tf.constant(int(seed), tf.int64), tf.int32)
    tensor = tf.convert_to_tensor(seed)
    if not tensor.dtype.is_integer:
        raise ValueError(f"seed: expected an integer or two int32 values, received {seed!r}. Use 0, for example.")
    return tensor


def for_rows(seeds: Any, name: str, rows: Any = None) -> tf.Tensor:
    """Return one seed per row, `[batch]` int64.

    Args:
        seeds: Integers, `[batch]`.
        name: The caller, for the message.
        rows: What has one row per seed, a tensor `[batch, ...]`, or None.

    Raises:
        ValueError: If `seeds` are not integers, or not one per row.

    Example:
        >>> for_rows([1.7], "VAE.generate")
        Traceback (most recent call last):
        ...
        ValueError: VAE.generate: seeds: expected integers, received float32. Use numpy.arange(8), for example.
    """
    tensor = tf.convert_to_tensor(seeds)
    if not tensor.dtype.is_integer:
        raise ValueError(
            f"{name}: seeds: expected integers, received {tensor.dtype.name}. Use numpy.arange(8), for example."
        )
    count = None if rows is None else rows.shape[0]
    if not tensor.shape.is_compatible_with([count]):
        expected = "(batch,)" if count is None else f"({count},)"
        raise ValueError(
            f"{name}: seeds: expected shape {expected}, received {tuple(tensor.shape)}. Pass one seed per row."
        )
    if rows is not None and (count is None or tensor.shape[0] is None):
        text = f"{name}: seeds: expected one per row,"
        parts = [text, tf.shape(rows)[0], "rows, received", tf.shape(tensor)[0], "Pass one seed per row."]
        check = tf.debugging.Assert(tf.equal(tf.shape(tensor)[0], tf.shape(rows)[0]), parts)
        with tf.control_dependencies([check]):
            tensor = tf.identity(tensor)
    return tf.cast(tensor, tf.int64)


def draw() -> int:
    """Draw a seed from NumPy's generator, which `keras.utils.set_random_seed` controls."""
    return int(np.random.randint(2**31 - 1))


def fold(seed: int, stream: int, *numbers: tf.Tensor) -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, derived from a seed, a stream and any number of integer scalars."""
    folded = tf.constant([seed, stream], tf.int32)
    for number in numbers:
        folded = tf.random.experimental.stateless_fold_in(folded, tf.cast(number, tf.int32))
    return folded


def for_row(seed: tf.Tensor, stream: int) -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, derived from one row's 64-bit seed."""
    # Exclusive or keeps all 64 bits distinct; folding in leaves 32, and some of 100,000 seeds would share images.
    mask = (stream * 0x9E3779B97F4A7C15) % 2**63
    return tf.bitcast(tf.bitwise.bitwise_xor(tf.cast(seed, tf.int64), tf.constant(mask, tf.int64)), tf.int32)
