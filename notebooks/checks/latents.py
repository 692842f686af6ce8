"""Equations 13 and 22: the KL from the posterior to the prior, and a sample from the posterior."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from checks.compare import compare
from checks.gradients import check_gradients
from checks.report import Wrong, check

_EXAMPLES, _LATENTS = 4, 2  # the same number of latents as K in the notebook


def _parameters() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(13)
    # Positive log-variances, because some mistakes take their logarithm or root.
    return rng.normal(size=[_EXAMPLES, _LATENTS]).astype(np.float32), rng.uniform(
        0.2, 1.5, [_EXAMPLES, _LATENTS]
    ).astype(np.float32)


@check
def kl(function: Callable) -> str:
    """Check KL(q(z|x) ‖ p(z)), from m `[n, K]` and log s² `[n, K]`: `[n]`, in nats."""
    m, log_var = _parameters()
    variance, scale = np.exp(log_var), np.exp(log_var / 2)
    each = tfd.kl_divergence(tfd.Normal(m, scale), tfd.Normal(0.0, 1.0)).numpy()
    compare(
        function(tf.constant(m), tf.constant(log_var)),
        each.sum(-1),
        {
            "its sign is wrong: a KL divergence is never negative": -each.sum(-1),
            "the factor ½ is missing": 2 * each.sum(-1),
            "take the sum over latents, not the mean": each.mean(-1),
            "return one number per example: take the sum over latents": each,
            "sum over the latents of each example, not over the batch": each.sum(),
            "the standard deviation s is used instead of the variance s²": 0.5
            * (m**2 + scale - np.log(scale) - 1).sum(-1),
            "s is used instead of s², where s² first occurs": 0.5 * (m**2 + scale - log_var - 1).sum(-1),
            "the log-variance was used as the variance: s² = exp(log s²)": 0.5
            * (m**2 + log_var - np.log(log_var) - 1).sum(-1),
            "the log-variance was used as the variance in one place: s² = exp(log s²)": 0.5
            * (m**2 + log_var - log_var - 1).sum(-1),
            "the log-variance was used as the logarithm of s, so s² became exp(2 log s²)": 0.5
            * (m**2 + np.exp(2 * log_var) - 2 * log_var - 1).sum(-1),
            "the −1 is missing: at m = 0, s = 1 the distributions are equal and the KL must be 0": 0.5
            * (m**2 + variance - log_var).sum(-1),
            "this is the KL in the other direction, KL(p ‖ q)": tfd.kl_divergence(
                tfd.Normal(0.0, 1.0), tfd.Normal(m, scale)
            )
            .numpy()
            .sum(-1),
        },
    )
    # Also check narrow posteriors, whose log-variances are negative.
    narrow = tfd.kl_divergence(tfd.Normal(m, np.exp(-log_var / 2)), tfd.Normal(0.0, 1.0)).numpy().sum(-1)
    compare(function(tf.constant(m), tf.constant(-log_var)), narrow, {})
    check_gradients(function, {"m": m, "log s²": log_var}, [m, 0.5 * (variance - 1)])
    return "agrees with TensorFlow Probability's kl_divergence"


@check
def sample(function: Callable) -> str:
    """Check z = g(ε), from m, log s² and ε, each `[n, K]`: `[n, K]`; and that gradients reach m and log s²."""
    m, log_var = _parameters()
    epsilon = np.random.default_rng(22).normal(size=m.shape).astype(np.float32)
    scale = np.exp(log_var / 2)
    given = tf.constant(m), tf.constant(log_var), tf.constant(epsilon)
    z = function(*given)
    right = m + scale * epsilon
    if np.shape(z) == m.shape and not np.array_equal(z, function(*given)):
        raise Wrong(
            "two calls with the same ε differ. Use the given ε and draw no other noise; sampling inside the function "
            "may also stop the gradient"
        )
    compare(
        z,
        right,
        {
            "the variance was used as the standard deviation: s = exp(½ log s²)": m + np.exp(log_var) * epsilon,
            "the log-variance was used as the standard deviation: s = exp(½ log s²)": m + log_var * epsilon,
            "the log-variance was used as the variance: s = exp(½ log s²)": m + np.sqrt(log_var) * epsilon,
            "s is missing: z = m + s ε": m + epsilon,
            "m is missing: z = m + s ε": scale * epsilon,
            "ε is missing: z = m + s ε": m,
        },
    )
    check_gradients(
        lambda m, log_var: function(m, log_var, given[2]),
        {"the mean m": m, "the log-variance": log_var},
        [np.ones_like(m), 0.5 * scale * epsilon],
    )
    return "z = m + s ε, and the gradient reaches both m and log s²"
