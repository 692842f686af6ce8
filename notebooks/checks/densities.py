"""Questions 2 and 3: log p(x|z), for binary and for continuous data."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from checks.compare import compare
from checks.gradients import check_gradients
from checks.report import Wrong, check

_EXAMPLES, _PIXELS = 3, 784  # the same as the digits, in case a solution uses the notebook's D
_MEAN = "it is too small by a factor of D, the number of pixels: take the sum over pixels, not the mean"


@check
def log_bernoulli(function: Callable) -> str:
    """Check log p(x|z) of binary data, from x `[n, D]` and logits `[n, D]`: `[n]`, in nats."""
    rng = np.random.default_rng(2)
    x = rng.integers(0, 2, [_EXAMPLES, _PIXELS]).astype(np.float32)
    logits = rng.normal(size=x.shape).astype(np.float32)
    each = tfd.Bernoulli(logits=logits).log_prob(x).numpy()
    as_if = tfd.Bernoulli(probs=1 / (1 + np.exp(-1 / (1 + np.exp(-logits))))).log_prob(x).numpy()
    compare(
        function(tf.constant(x), tf.constant(logits)),
        each.sum(-1),
        {
            "its sign is wrong: this is the cross-entropy, and log p(x|z) is its negative": -each.sum(-1),
            _MEAN: each.mean(-1),
            _MEAN + ". Its sign is also wrong: log p(x|z) is minus the cross-entropy": -each.mean(-1),
            "sum over the pixels of each example, not over the batch": each.sum(),
            "return one number per example: take the sum over pixels": each,
            "a sigmoid was applied twice, or applied where logits are expected": as_if.sum(-1),
            "the term for x = 0, (1 − x) log(1 − ρ), is missing": (x * np.log(1 / (1 + np.exp(-logits)))).sum(-1),
        },
    )
    extreme = np.asarray(function(tf.constant(x), tf.constant(200 * (1 - 2 * x))))[0]
    if not np.isclose(extreme, -200.0 * _PIXELS):
        raise Wrong(
            f"at logits of −200 for ones and 200 for zeros: expected {-200 * _PIXELS}, received {extreme:.6g}. This is "
            "the logarithm of a rounded sigmoid or an exponential that overflows. Use tf.nn.softplus or "
            "tf.nn.sigmoid_cross_entropy_with_logits"
        )
    check_gradients(
        lambda values: function(tf.constant(x), values), {"the logits": logits}, [x - 1 / (1 + np.exp(-logits))]
    )
    return "agrees with TensorFlow Probability's Bernoulli, and is stable at extreme logits"


@check
def log_normal(function: Callable) -> str:
    """Check log p(x|z) of real data, from x `[n, D]`, μ `[n, D]` and a scalar σ: `[n]`, in nats."""
    rng = np.random.default_rng(3)
    x, mu = rng.normal(size=[2, _EXAMPLES, _PIXELS]).astype(np.float32)
    sigma = 0.3
    constant = -0.5 * np.log(2 * np.pi * sigma**2)
    square = (x - mu) ** 2
    each = tfd.Normal(mu, sigma).log_prob(x).numpy()
    compare(
        function(tf.constant(x), tf.constant(mu), sigma),
        each.sum(-1),
        {
            "its sign is wrong: this is −log p(x|z)": -each.sum(-1),
            _MEAN: each.mean(-1),
            "the squared error is too small by a factor of D: take the sum over pixels, not the mean": (
                _PIXELS * constant - square.mean(-1) / (2 * sigma**2)
            ),
            "return one number per example: take the sum over pixels": each,
            "sum over the pixels of each example, not over the batch": each.sum(),
            "the ½ in the exponent is missing: (x − μ)² / (2σ²)": (constant - square / sigma**2).sum(-1),
            "σ is used instead of σ²: the standard deviation was mistaken for the variance": tfd.Normal(mu, sigma**0.5)
            .log_prob(x)
            .numpy()
            .sum(-1),
            "the exponent divides by σ instead of σ²": (constant - square / (2 * sigma)).sum(-1),
            "the constant −½ log(2πσ²) is missing. It does not change the gradient of μ, but without it, the result is "
            "not a log-likelihood": (-square / (2 * sigma**2)).sum(-1),
            "the factor 1 / (2σ²), which weighs the squared error against the KL, is missing": -square.sum(-1),
            "the constant is included once: expected D times, once per pixel": constant
            - (square / (2 * sigma**2)).sum(-1),
        },
    )
    check_gradients(lambda mu: function(tf.constant(x), mu, sigma), {"μ": mu}, [(x - mu) / sigma**2])
    return "agrees with TensorFlow Probability's Normal"
