"""Turns stored pixels into values in a likelihood's support, with noise that does not depend on batches."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_vae.data.examples import Examples
from keras_vae.families.registry import Likelihood, find_likelihood
from keras_vae.utils.arguments import known_name, one_line

PREPROCESSING = {
    "dynamic": "binarize x ~ Bernoulli(gray), again in each epoch",
    "static": "binarize x ~ Bernoulli(gray), once",
    "gray": "divide 8-bit pixels by 255",
    "dequantized": "(x + u) / 256 with u ~ Uniform(0, 1)",
}

_PHILOX = 1
_NUMBERS_PER_COUNT = 4


def choose(examples: Examples, likelihood: Likelihood | None, preprocess: str | None) -> str:
    """Return the name of the preprocessing, checked against the likelihood and the images, or "none" for a table.

    Raises:
        ValueError: If a name is unknown, the values would be outside the likelihood's support, or the images are not
            8-bit and the preprocessing needs that.
    """
    if examples.columns:
        _check_table(examples, likelihood, preprocess)
        return "none"
    family = find_likelihood("bernoulli" if likelihood is None else likelihood)
    allowed = family.preprocessing
    owner = (family if isinstance(family, type) else type(family)).__name__
    if not allowed:
        raise ValueError(
            f"likelihood: expected a family with preprocessing for images, received {owner}, whose preprocessing is "
            "empty. Set the class attribute, for example preprocessing = ('gray',)."
        )
    name = allowed[0] if preprocess is None else preprocess
    name = known_name(name, PREPROCESSING, "preprocess")
    if name not in allowed:
        raise ValueError(
            f"preprocess: expected one of {', '.join(map(repr, allowed))} for the likelihood {owner}, received "
            f"{name!r} ({PREPROCESSING[name]}), whose values may have no probability. Use another, or "
            "likelihood='continuous_bernoulli', which takes every preprocessing."
        )
    if name == "dequantized" and examples.images.dtype != "uint8":
        default = " (the default here)" if preprocess is None else ""
        likelihood_too = "" if "gray" in allowed else " with likelihood='continuous_bernoulli'"
        raise ValueError(
            f"preprocess='dequantized'{default}: expected uint8 pixels to add noise to, received {examples.name} with "
            f"dtype {examples.images.dtype}. Pass the pixels as uint8, or use preprocess='gray'{likelihood_too}."
        )
    return name


def _check_table(examples: Examples, likelihood: Likelihood | None, preprocess: str | None) -> None:
    if preprocess is not None:
        raise ValueError(
            f"preprocess: expected None for a table, received {one_line(preprocess)}. Standardize its columns with the "
            "likelihood keras_vae.families.Standardized."
        )
    if likelihood is None:
        return
    family = find_likelihood(likelihood)
    for column in examples.columns:
        values = examples.images[:, column.start : column.stop]
        with tf.device("CPU:0"):
            inside = np.broadcast_to(family.support.contains(tf.constant(values)).numpy(), values.shape)
        if not inside.all():
            raise ValueError(
                f"likelihood: expected one that allows the values of column {column.name!r} of {examples.name}, such "
                f"as 'normal', received one over {family.support.name} data; the column has {values[~inside][0]:g}. "
                "Use likelihood='normal'."
            )


def gray(images: tf.Tensor) -> tf.Tensor:
    """Return float32 values in [0, 1], of the same shape: 8-bit pixels over 255, others as they are."""
    return tf.cast(images, tf.float32) / 255.0 if images.dtype == tf.uint8 else tf.cast(images, tf.float32)


def binarize(images: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Return draws of Bernoulli(gray), bool, with `u ~ Uniform[0, 1)` of the same shape.

    Gray 0 always gives 0, and gray 1 always gives 1. Salakhutdinov & Murray, "On the Quantitative Analysis of
    Deep Belief Networks" (2008), introduced the protocol for MNIST.
    """
    return u < gray(images)


def dequantize(images: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Return `(x + u) / 256`, float32 in (x / 256, (x + 1) / 256), with `u ~ Uniform[0, 1)`.

    A density fitted to such values bounds the log-probability of the 8-bit pixels: Theis, van den Oord &
    Bethge, "A note on the evaluation of generative models" (2016), section 3.1; Loaiza-Ganem & Cunningham,
    "The continuous Bernoulli" (2019), use it for their data.
    """
    # The midpoints of 2¹⁵ cells are never 0 or 1. Above 128 a float32 has 16 bits left for u: a finer u could round up
    # to the next pixel value.
    u = (tf.floor(u * 2.0**15) + 0.5) / 2.0**15
    return (tf.cast(images, tf.float32) + u) / 256.0


def uniform(seed: tf.Tensor, start: tf.Tensor | int, count: tf.Tensor | int, shape: Sequence[int]) -> tf.Tensor:
    """Return the noise of `count` consecutive positions from one endless stream.

    Philox is a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011),
    so the noise of position i is computed directly, starting from counter i times the counts per position.

    Args:
        seed: The stream's seed, `[2]` int32.
        start: The first position.
        count: The number of positions.
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
