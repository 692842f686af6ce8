"""The sets of values that a family gives probability to, and what to do with data outside them."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Support:
    """A named set of values.

    Attributes:
        name: One word, as in the documentation.
        wanted: The condition on each value, in words, for error messages.
        advice: What someone whose data fails the condition can do.
        contains: Membership, of the values' own shape; NaN is in no support.
    """

    name: str
    wanted: str
    advice: str
    contains: Callable[[tf.Tensor], tf.Tensor]


def _gray_level(x: tf.Tensor) -> tf.Tensor:
    # Float32 rounds k/255 by less than 2e-5 of a level.
    on_level = tf.abs(255.0 * x - tf.round(255.0 * x)) < 1e-3
    return on_level & (x >= 0.0) & (x <= 1.0)


def _one_hot(x: tf.Tensor) -> tf.Tensor:
    return BINARY.contains(x) & tf.equal(tf.reduce_sum(x, axis=-1, keepdims=True), 1.0)


BINARY = Support(
    name="binary",
    wanted="every value exactly 0 or 1",
    advice=(
        "For gray pixels either use the continuous Bernoulli likelihood (keras_vae.families.ContinuousBernoulli, "
        "likelihood continuous_bernoulli), or binarize them: keras_vae.data.load with preprocess='dynamic' or "
        "'static' does so"
    ),
    contains=lambda x: tf.logical_or(tf.equal(x, 0.0), tf.equal(x, 1.0)),
)

UNIT_INTERVAL = Support(
    name="unit interval",
    wanted="every value in [0, 1]",
    advice=(
        "Divide 8-bit pixels by 255, or let keras_vae.data.load do it (preprocess='gray' or 'dequantized'); for "
        "unbounded data use keras_vae.families.Normal"
    ),
    contains=lambda x: tf.logical_and(x >= 0.0, x <= 1.0),
)

OPEN_UNIT_INTERVAL = Support(
    name="open unit interval",
    wanted="every value between 0 and 1, neither of them included",
    advice=(
        "keras_vae.data.load with preprocess='dequantized' makes such values of 8-bit pixels; where 0 and 1 may "
        "occur, use keras_vae.families.ContinuousBernoulli"
    ),
    contains=lambda x: tf.logical_and(x > 0.0, x < 1.0),
)

GRAY_LEVELS = Support(
    name="gray levels",
    wanted="every value one of the 256 gray levels k/255",
    advice=(
        "Divide 8-bit pixels by 255, as keras_vae.data.load with preprocess='gray' does; for other values in [0, 1] "
        "use keras_vae.families.ContinuousBernoulli"
    ),
    contains=_gray_level,
)

ONE_HOT = Support(
    name="one-hot",
    wanted="each vector along the last axis one-hot",
    advice="tf.one_hot(categories, depth) makes such vectors of integers",
    contains=_one_hot,
)

REAL = Support(
    name="real",
    wanted="every value finite",
    advice="Remove or impute NaN and infinite values before training",
    contains=tf.math.is_finite,
)
