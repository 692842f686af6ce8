"""From pixels as stored to values in a likelihood's support."""

import tensorflow as tf

from keras_vae.data.examples import Examples
from keras_vae.names import lookup

PREPROCESSING = {
    "dynamic": "binarise x ~ Bernoulli(grey), afresh in each epoch",
    "static": "binarise x ~ Bernoulli(grey), once",
    "grey": "divide 8-bit pixels by 255",
    "dequantised": "(x + u) / 256 with u ~ Uniform(0, 1)",
}

# What each likelihood gives probability to; the first is its default.
_ALLOWED = {
    "bernoulli": ("dynamic", "static"),
    "continuous_bernoulli": ("dequantised", "grey", "dynamic", "static"),
    "normal": ("dequantised", "grey", "dynamic", "static"),
    "beta": ("dequantised",),
    "grey_levels": ("grey", "dynamic", "static"),
    "discretised_logistic_mixture": ("grey", "dynamic", "static"),
}


def choose(examples: Examples, likelihood: str, preprocess: str | None) -> str:
    """Return the name of the preprocessing, checked against the likelihood and the images.

    Raises:
        ValueError: If a name is unknown, the likelihood's support does not hold the values, or the images are
            not 8-bit where the preprocessing needs it.
    """
    allowed = lookup(likelihood, _ALLOWED, "likelihood")
    name = allowed[0] if preprocess is None else preprocess
    lookup(name, PREPROCESSING, "preprocess")
    if name not in allowed:
        raise ValueError(
            f"preprocess={name!r} ({PREPROCESSING[name]}) gives values to which likelihood={likelihood!r} gives no "
            f"probability; wanted one of {', '.join(map(repr, allowed))}. likelihood='continuous_bernoulli' takes "
            "every preprocessing"
        )
    if name == "dequantised" and examples.images.dtype != "uint8":
        default = " (the default here)" if preprocess is None else ""
        likelihood_too = "" if "grey" in allowed else " with likelihood='continuous_bernoulli'"
        raise ValueError(
            f"preprocess='dequantised'{default} adds noise to 8-bit integers, but {examples.name} has dtype "
            f"{examples.images.dtype}; wanted uint8. Pass the pixels as uint8, or preprocess='grey'{likelihood_too}"
        )
    return name


def grey(images: tf.Tensor) -> tf.Tensor:
    """Return float32 values in [0, 1], of the same shape: 8-bit pixels over 255, others as they are."""
    return tf.cast(images, tf.float32) / 255.0 if images.dtype == tf.uint8 else tf.cast(images, tf.float32)


def binarise(images: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Sample Bernoulli(grey), bool, with `u ~ Uniform[0, 1)` of the same shape.

    Grey 0 never gives 1, and grey 1 always does. Salakhutdinov & Murray, "On the Quantitative Analysis of
    Deep Belief Networks" (2008), introduced the protocol for MNIST.
    """
    return u < grey(images)


def dequantise(images: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Return `(x + u) / 256`, float32 in (x / 256, (x + 1) / 256), with `u ~ Uniform[0, 1)`.

    A density fitted to such values bounds the log-probability of the 8-bit pixels: Theis, van den Oord &
    Bethge, "A note on the evaluation of generative models" (2016), section 3.1; Loaiza-Ganem & Cunningham,
    "The continuous Bernoulli" (2019), use it for their data.
    """
    # The midpoints of 2¹⁵ cells, so never 0 or 1. Above 128 a float32 has 16 bits left for u: a finer u could round
    # up into the next pixel value.
    u = (tf.floor(u * 2.0**15) + 0.5) / 2.0**15
    return (tf.cast(images, tf.float32) + u) / 256.0
