"""Seeds: all noise is a function of integers, so that it can be reproduced anywhere.

There is one kind of seed: an argument `seed` is an integer from 0 to 2³¹ − 1, and equal seeds give equal results.
Measures and data default to 0; a model draws its own (`draw`). `seeds`, in the plural, are one 64-bit integer per row,
so that a row's noise does not depend on its batch; `VAE.sample` derives them from its `seed` (`rows_of`).
"""

import zlib
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.utils.arguments import seed_number

# One stream of noise per use, so that no two uses share random numbers.
TRAIN, TEST, GENERATE, SCORE, EVALUATE, DRAW = range(6)


def stateless(seed: Any, name: str = "seed") -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, from an integer; a stateless seed is returned unchanged.

    Args:
        seed: An integer from 0 to 2³¹ − 1, or two int32 values.
        name: The function that takes it, for the error message.

    Raises:
        ValueError: If `seed` is neither.

    Example:
        >>> stateless(7).numpy().tolist(), stateless([7, 8]).numpy().tolist()
        ([7, 0], [7, 8])
    """
    if not tf.is_tensor(seed) and not hasattr(seed, "__len__"):
        return tf.constant([seed_number(seed, name), 0], tf.int32)
    tensor = _integers(seed, bits=32)
    if tensor is None or not tensor.shape.is_compatible_with([2]):
        raise ValueError(
            f"{name}: seed: expected an integer from 0 to 2147483647 or two int32 values, received {_shown(seed)}. Use "
            "0, for example."
        )
    return tf.cast(tensor, tf.int32)


def for_rows(seeds: Any, name: str, rows: Any = None) -> tf.Tensor:
    """Return one seed per row, `[batch]` int64.

    Args:
        seeds: Integers of up to 64 bits, `[batch]`.
        name: The caller, for the message.
        rows: What has one row per seed, a tensor `[batch, ...]`, or None.

    Raises:
        ValueError: If `seeds` are not integers, or not one per row.

    Example:
        >>> for_rows([1.7], "VAE.generate")
        Traceback (most recent call last):
        ...
        ValueError: VAE.generate: seeds: expected 64-bit integers, received [1.7]. Use numpy.arange(8), for example.
    """
    tensor = _integers(seeds, bits=64)
    if tensor is None:
        raise ValueError(
            f"{name}: seeds: expected 64-bit integers, received {_shown(seeds)}. Use numpy.arange(8), for example."
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


def _integers(values: Any, bits: int) -> tf.Tensor | None:
    """Return a tensor of integers of up to so many bits, or None if `values` are anything else."""
    if tf.is_tensor(values):
        return values if values.dtype.is_integer and 8 * values.dtype.size <= bits else None
    try:
        array = np.asarray(values)
    except (ValueError, TypeError):  # such as rows of different lengths
        return None
    limit = 2 ** (bits - 1)
    if array.dtype.kind not in "iu" or (array.size and not (-limit <= int(array.min()) and int(array.max()) < limit)):
        return None
    return tf.convert_to_tensor(array)


def _shown(values: Any) -> str:
    return " ".join(repr(values).split())[:60]


def rows_of(seed: int, count: int) -> np.ndarray:
    """Return the seeds of `count` rows, `[count]` int64, derived from one seed: different seeds share no row.

    The seeds of fewer rows are the first of these. `serving.Client.generate` derives the same ones.

    Example:
        >>> rows_of(0, 2).tolist()
        [-2653508690321835842, -6056105535328896439]
    """
    # Not consecutive ones: seeds 0 and 1 would have all but one row in common.
    return np.random.SeedSequence(seed).generate_state(count, np.uint64).view(np.int64)


def draw() -> int:
    """Draw a seed from NumPy's generator, which `keras.utils.set_random_seed` controls."""
    return int(np.random.randint(2**31 - 1))


def fold(seed: int, stream: int, *numbers: tf.Tensor) -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, derived from a seed, a stream and any number of integer scalars.

    Each number leaves 32 bits of what came before: two seeds have equal noise with a probability of 2⁻³². Training
    and the order of the data keep it, so that models and runs of version 0.1 continue with the noise they began with.
    Use `derive` for anything new.
    """
    folded = tf.constant([seed, stream], tf.int32)
    for number in numbers:
        folded = tf.random.experimental.stateless_fold_in(folded, tf.cast(number, tf.int32))
    return folded


def fold_in(seed: tf.Tensor, *numbers: Any) -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, derived from another one and integer scalars of up to 64 bits.

    Unlike `tf.random.experimental.stateless_fold_in`, which keeps 32 bits of the seed, it keeps all 64.

    Example:
        >>> fold_in(tf.constant([1, 2]), 3).shape
        TensorShape([2])
    """
    for number in numbers:
        mixed = tf.random.stateless_uniform([2], seed, minval=None, maxval=None, dtype=tf.int32)
        seed = tf.bitwise.bitwise_xor(mixed, tf.bitcast(tf.cast(number, tf.int64), tf.int32))
    return seed


def derive(seed: int, use: str, *numbers: Any) -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, for one use of a seed, such as a measure, and integer scalars.

    Args:
        seed: From 0 to 2³¹ − 1.
        use: The name of the use; each has its own stream.
        numbers: Such as the number of a batch.

    Example:
        >>> a, b = (derive(0, "log_likelihood", batch).numpy() for batch in (0, 1))
        >>> bool(np.all(a == b))
        False
    """
    return fold_in(tf.bitcast(tf.constant(seed % 2**32 | _code(use) << 32, tf.uint64), tf.int32), *numbers)


def generator(seed: int, use: str, *numbers: int) -> np.random.Generator:
    """Return NumPy's generator for one use of a seed; arguments as in `derive`.

    Example:
        >>> a, b = (generator(0, use).integers(1000) for use in ("imputation", "sample_quality"))
        >>> bool(a == b)
        False
    """
    return np.random.default_rng([seed, _code(use), *numbers])


def _code(use: str) -> int:
    return zlib.crc32(use.encode())


def for_row(seed: tf.Tensor, stream: int) -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, derived from one row's 64-bit seed."""
    # Exclusive or keeps all 64 bits distinct; folding in leaves 32, and some of 100,000 seeds would share images.
    mask = (stream * 0x9E3779B97F4A7C15) % 2**63
    return tf.bitcast(tf.bitwise.bitwise_xor(tf.cast(seed, tf.int64), tf.constant(mask, tf.int64)), tf.int32)
