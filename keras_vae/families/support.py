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
        contains: Element-wise membership; NaN is in no support.
    """

    name: str
    wanted: str
    advice: str
    contains: Callable[[tf.Tensor], tf.Tensor]


BINARY = Support(
    name="binary",
    wanted="every value exactly 0 or 1",
    advice=(
        "For grey pixels either use the continuous Bernoulli likelihood (keras_vae.families.ContinuousBernoulli, "
        "likelihood continuous_bernoulli), or binarise them: keras_vae.data.load with preprocess='dynamic' or "
        "'static' does so"
    ),
    contains=lambda x: tf.logical_or(tf.equal(x, 0.0), tf.equal(x, 1.0)),
)

UNIT_INTERVAL = Support(
    name="unit interval",
    wanted="every value in [0, 1]",
    advice=(
        "Divide 8-bit pixels by 255, or let keras_vae.data.load do it (preprocess='grey' or 'dequantised'); for "
        "unbounded data use keras_vae.families.Normal"
    ),
    contains=lambda x: tf.logical_and(x >= 0.0, x <= 1.0),
)

REAL = Support(
    name="real",
    wanted="every value finite",
    advice="Remove or impute NaN and infinite values before training",
    contains=tf.math.is_finite,
)
