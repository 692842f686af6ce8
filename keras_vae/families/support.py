"""Sets of values that have probability under a family, and what to do with data outside them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Support:
    """A named set of values.

    Args:
        name: One or two words, for error messages: "... has binary latents".
        expected: The condition on each value, in words, for error messages: "every value exactly 0 or 1".
        advice: What to do with data that fails the condition, for error messages: one sentence without a full stop.
        contains: Membership of each value, a tensor of booleans of the values' own shape; False for NaN.
        lower: No value is below it.
        upper: No value is above it.
        values: All values in order, where there are few; empty otherwise.
        discrete: Whether the values can be counted, so that probabilities are masses rather than densities.
        elementwise: Whether each value is judged alone; False for one-hot vectors.
        clip: Moves values that rounding pushed out of the set back into it; by default it changes nothing.

    Example:
        >>> positive = Support("positive", "every value above 0", "Take the exponential", lambda x: x > 0, lower=0.0)
        >>> positive.contains(tf.constant([0.5, -1.0, float("nan")])).numpy().tolist(), positive.real
        ([True, False, False], False)
    """

    name: str
    expected: str
    advice: str
    contains: Callable[[tf.Tensor], tf.Tensor]
    lower: float = -math.inf
    upper: float = math.inf
    values: tuple[float, ...] = ()
    discrete: bool = False
    elementwise: bool = True
    clip: Callable[[tf.Tensor], tf.Tensor] = tf.identity

    @property
    def bounded(self) -> bool:
        """Whether the values lie in an interval of finite length."""
        return math.isfinite(self.lower) and math.isfinite(self.upper)

    @property
    def binary(self) -> bool:
        """Whether each value is 0 or 1."""
        return self.values == (0.0, 1.0)

    @property
    def real(self) -> bool:
        """Whether the values are all finite real numbers."""
        return not self.discrete and self.lower == -math.inf and self.upper == math.inf


# Far enough from 0 and 1 for any precision to tell apart.
_EDGE = 1e-6


def _gray_level(x: tf.Tensor) -> tf.Tensor:
    # Float32 rounds k/255 by less than 2e-5 of a level.
    on_level = tf.abs(255.0 * x - tf.round(255.0 * x)) < 1e-3
    return on_level & (x >= 0.0) & (x <= 1.0)


def _one_hot(x: tf.Tensor) -> tf.Tensor:
    return BINARY.contains(x) & tf.equal(tf.reduce_sum(x, axis=-1, keepdims=True), 1.0)


BINARY = Support(
    name="binary",
    expected="every value exactly 0 or 1",
    advice=(
        "For gray pixels use the continuous Bernoulli likelihood (keras_vae.families.ContinuousBernoulli, "
        "likelihood='continuous_bernoulli'), or binarize them with keras_vae.data.load, preprocess='dynamic' or "
        "'static'"
    ),
    contains=lambda x: tf.logical_or(tf.equal(x, 0.0), tf.equal(x, 1.0)),
    lower=0.0,
    upper=1.0,
    values=(0.0, 1.0),
    discrete=True,
)

UNIT_INTERVAL = Support(
    name="unit interval",
    expected="every value in [0, 1]",
    advice=(
        "Divide 8-bit pixels by 255, or use keras_vae.data.load with preprocess='gray' or 'dequantized'. For "
        "unbounded data use keras_vae.families.Normal"
    ),
    contains=lambda x: tf.logical_and(x >= 0.0, x <= 1.0),
    lower=0.0,
    upper=1.0,
)

OPEN_UNIT_INTERVAL = Support(
    name="open unit interval",
    expected="every value above 0 and below 1",
    advice=(
        "Use keras_vae.data.load with preprocess='dequantized' for 8-bit pixels, or keras_vae.families."
        "ContinuousBernoulli if 0 and 1 occur"
    ),
    contains=lambda x: tf.logical_and(x > 0.0, x < 1.0),
    lower=0.0,
    upper=1.0,
    clip=lambda x: tf.clip_by_value(x, _EDGE, 1.0 - _EDGE),
)

GRAY_LEVELS = Support(
    name="gray levels",
    expected="every value one of the 256 gray levels k/255",
    advice=(
        "Divide 8-bit pixels by 255, or use keras_vae.data.load with preprocess='gray'. For other values in [0, 1] "
        "use keras_vae.families.ContinuousBernoulli"
    ),
    contains=_gray_level,
    lower=0.0,
    upper=1.0,
    values=tuple(level / 255 for level in range(256)),
    discrete=True,
)

ONE_HOT = Support(
    name="one-hot",
    expected="each vector along the last axis one-hot",
    advice="Use tf.one_hot(categories, depth) to convert integers",
    contains=_one_hot,
    lower=0.0,
    upper=1.0,
    discrete=True,
    elementwise=False,
)

REAL = Support(
    name="real",
    expected="every value finite",
    advice="Remove or impute NaN and infinite values before training",
    contains=tf.math.is_finite,
)
