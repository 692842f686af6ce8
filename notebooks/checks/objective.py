"""Equation 8: the negative ELBO with L = 1, as a loss."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from checks.compare import compare
from checks.report import Wrong, check

_EXAMPLES, _PIXELS, _LATENTS = 6, 784, 2


@check
def negative_elbo(function: Callable) -> str:
    """Check the loss of (x, ε, encoder, decoder), a scalar in nats averaged over the batch, and its gradients."""
    rng = np.random.default_rng(8)
    x = tf.constant(rng.integers(0, 2, [_EXAMPLES, _PIXELS]), tf.float32)
    epsilon = tf.constant(rng.normal(size=[_EXAMPLES, _LATENTS]), tf.float32)
    mean, log_variance, output = (
        keras.layers.Dense(size, kernel_initializer=keras.initializers.RandomNormal(stddev=0.03, seed=seed))
        for seed, size in enumerate((_LATENTS, _LATENTS, _PIXELS))
    )
    z = mean(x) + tf.exp(0.5 * log_variance(x)) * epsilon
    posterior = tfd.Independent(tfd.Normal(mean(x), tf.exp(0.5 * log_variance(x))), 1)
    log_likelihood = tfd.Independent(tfd.Bernoulli(logits=output(z)), 1).log_prob(x).numpy()
    prior = tfd.Independent(tfd.Normal(tf.zeros(_LATENTS), tf.ones(_LATENTS)), 1)
    at_mean = tfd.Independent(tfd.Bernoulli(logits=output(mean(x))), 1).log_prob(x).numpy()
    kl = tfd.kl_divergence(posterior, prior).numpy()
    sampled = (posterior.log_prob(z) - prior.log_prob(z)).numpy()
    layers = (mean, log_variance, output)
    weights = [layer.kernel for layer in layers]
    with tf.GradientTape() as tape:
        loss = function(x, epsilon, lambda x: (mean(x), log_variance(x)), output)
    compare(
        loss,
        np.mean(kl - log_likelihood),
        {
            "its sign is wrong: this is the ELBO, but a loss is minimized": np.mean(log_likelihood - kl),
            "the KL has the wrong sign: the loss is −log p(x|z) + KL": np.mean(-log_likelihood - kl),
            "log p(x|z) has the wrong sign: the loss is −log p(x|z) + KL": np.mean(log_likelihood + kl),
            "take the mean over the batch, not the sum": np.sum(kl - log_likelihood),
            "return one number for the batch: take the mean over examples": kl - log_likelihood,
            "the reconstruction is a mean over pixels, the KL a sum: the KL has D times too much weight": np.mean(
                kl - log_likelihood / _PIXELS
            ),
            "the KL is missing": np.mean(-log_likelihood),
            "the reconstruction is missing": np.mean(kl),
            "this decodes m instead of a sample z = m + s ε": np.mean(kl - at_mean),
            "the KL is correct on average, but equation 13 gives it in closed form, without noise": np.mean(
                sampled - log_likelihood
            ),
        },
    )
    continuous = function(
        x, epsilon, lambda x: (mean(x), log_variance(x)), output, lambda x, mu: -tf.reduce_sum((x - mu) ** 2, axis=-1)
    )
    compare(
        continuous,
        np.mean(kl + tf.reduce_sum((x - output(z)) ** 2, axis=-1)),
        {"it ignores the argument log_likelihood and always uses log_bernoulli": loss},
    )
    # Use finite differences, because wrong gradients do not show in the loss.
    for name, weight, slope in zip(
        ("encoder's m", "encoder's log s²", "decoder"), weights, _slopes(tape, loss, weights), strict=True
    ):
        expected = _difference(lambda: function(x, epsilon, lambda x: (mean(x), log_variance(x)), output), weight)
        if slope is None or abs(float(slope[0, 0]) - expected) > 0.02 * max(1.0, abs(expected)):
            got = "none" if slope is None else f"{float(slope[0, 0]):.4f}"
            raise Wrong(
                f"wrong gradient for a weight of the {name}: expected {expected:.4f} from finite differences, received "
                f"{got}. It is stopped by tf.stop_gradient, NumPy, or a sample drawn without reparameterization"
            )
    return "agrees with TensorFlow Probability, and its gradients agree with finite differences"


def _slopes(tape: tf.GradientTape, loss: tf.Tensor, weights: list) -> list:
    return tape.gradient(loss, [weight.value for weight in weights])


def _difference(function: Callable, weight: keras.Variable, step: float = 1e-2) -> float:
    at = weight.numpy()
    values = []
    for sign in (1, -1):
        moved = at.copy()
        moved[0, 0] += sign * step
        weight.assign(moved)
        values.append(float(function()))
    weight.assign(at)
    return (values[0] - values[1]) / (2 * step)
