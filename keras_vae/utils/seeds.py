"""Seeds: all noise is a function of integers, so that it can be repeated anywhere.

There is one kind of seed: an argument `seed` is an integer from 0 to 2³¹ − 1, and equal seeds give equal results.
Measures and data take 0 by default; a model draws its own (`draw`). `seeds`, in the plural, are one 64-bit integer per
row, so that a row's noise does not depend on the batch it is in.
"""

from numbers import Integral
from typing import Any

import numpy as np
import tensorflow as tf

# One stream of noise for each use, so that no two uses share their numbers.
TRAIN, TEST, GENERATE, SCORE, EVALUATE, DRAW = range(6)


def stateless(seed: Any) -> tf.Tensor:
    """Return a stateless seed, `[2]` int32, of an integer of up to 64 bits; one that is stateless already as it is."""
    if isinstance(seed, Integral) and not isinstance(seed, bool):
        return tf.bitcast(tf.constant(int(seed), tf.int64), tf.int32)
    return tf.convert_to_tensor(seed)


def draw() -> int:
    """Draw a seed that `keras.utils.set_random_seed` controls."""
    return int(np.random.randint(2**31 - 1))


def fold(seed: int, stream: int, *numbers: tf.Tensor) -> tf.Tensor:
    """Make a stateless seed, `[2]` int32, of a seed, a stream and any number of integer scalars."""
    folded = tf.constant([seed, stream], tf.int32)
    for number in numbers:
        folded = tf.random.experimental.stateless_fold_in(folded, tf.cast(number, tf.int32))
    return folded


def for_row(seed: tf.Tensor, stream: int) -> tf.Tensor:
    """Make a stateless seed, `[2]` int32, of one request's 64-bit seed."""
    # Exclusive or keeps all 64 bits apart; folding in would leave 32, and 100,000 seeds would share images.
    mask = (stream * 0x9E3779B97F4A7C15) % 2**63
    return tf.bitcast(tf.bitwise.bitwise_xor(tf.cast(seed, tf.int64), tf.constant(mask, tf.int64)), tf.int32)
