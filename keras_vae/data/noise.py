"""Uniform noise that does not depend on how a set is cut into batches."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_PHILOX = 1
_NUMBERS_PER_COUNT = 4


def uniform(seed: tf.Tensor, start: tf.Tensor | int, count: tf.Tensor | int, shape: Sequence[int]) -> tf.Tensor:
    """Return the noise of `count` consecutive positions from one endless stream.

    Philox is a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011),
    so the noise of position i is computed directly, at counter i times the counts that a position uses up.

    Args:
        seed: `[2]` int32, names the stream.
        start: The first position.
        count: How many positions.
        shape: The shape of the noise of one position.

    Returns:
        `[count, *shape]` float32, Uniform[0, 1).
    """
    size = int(np.prod(shape))
    counts = -(-size // _NUMBERS_PER_COUNT)
    key, _ = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    first = tf.cast(start, tf.int64) * counts
    flat = tf.raw_ops.StatelessRandomUniformV2(
        shape=tf.stack([tf.cast(count, tf.int64), counts * _NUMBERS_PER_COUNT]),
        key=key,
        counter=tf.cast(tf.stack([first, 0]), tf.uint64),
        alg=_PHILOX,
    )
    return tf.reshape(flat[:, :size], [-1, *shape])
