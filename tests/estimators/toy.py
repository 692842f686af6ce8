"""A problem so small that every bound and its gradient are known exactly.

x is one number, p(x|z) = N(wᵀz, σ²), and each row has its own w and its own posterior values, so that one pass over
many rows gives as many independent gradients.
"""

import itertools

import numpy as np
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tests.stub_parts import StubModel

X, SIGMA = 0.8, 0.6


class Toy(StubModel):
    """A model for objectives.

    Args:
        family: The posterior's.
        prior: A TFP distribution, batch shape [].
        values: The posterior's unconstrained values, `[rows, *parameters_shape]`.
        weights: w, `[rows, latents]`.
    """

    def __init__(self, family, prior, values, weights):
        def likelihood(z):
            flat = tf.reshape(z, [*z.shape[:2], -1])
            return tfd.Independent(tfd.Normal(tf.reduce_sum(flat * weights, axis=-1)[..., None], SIGMA), 1)

        super().__init__(family, values, prior, likelihood)


def gradients(objective, family, prior, values, weights, rows, seed=(1, 2)):
    """Return `rows` independent estimates of the bound's gradient by values and by weights, `[rows, …]`."""
    values, weights = (tf.tile(tf.constant(v, tf.float32)[None], [rows, *[1] * np.ndim(v)]) for v in (values, weights))
    with tf.GradientTape() as tape:
        tape.watch([values, weights])
        terms = objective(Toy(family, prior, values, weights), tf.fill([rows, 1], X), tf.constant(seed), training=True)
    return [-g.numpy().reshape(rows, -1) for g in tape.gradient(terms["loss"], [values, weights])], terms


def finite_differences(exact, values, weights, h=1e-4):
    """Return the gradient of `exact(values, weights)` by each, flat."""
    found = []
    for which, at in enumerate((values, weights)):
        steps = h * np.eye(at.size).reshape(at.size, *at.shape)
        for step in steps:
            up, down = [values, weights], [values, weights]
            up[which], down[which] = at + step, at - step
            found.append((exact(*up) - exact(*down)) / (2 * h))
    return np.array(found)


def log_joint(log_prior, z, w):
    """Return log p(x|z) + log p(z) by scipy."""
    return scipy.stats.norm(np.sum(z * w, axis=-1), SIGMA).logpdf(X) + log_prior(z)


def normal_bound(values, weights, log_prior, k, importance, beta=1.0):
    """Return the exact bound of k samples of a one-dimensional normal posterior, by Gauss–Hermite quadrature."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(80)
    mass = mass / mass.sum()
    loc, scale = values[0, 0], np.exp(0.5 * values[0, 1])
    z = (loc + scale * nodes)[:, None]
    log_q = scipy.stats.norm(loc, scale).logpdf(z[:, 0])
    log_likelihood = log_joint(lambda z: 0.0, z, weights)
    log_w = log_likelihood + beta * (log_prior(z) - log_q)
    return _expected_bound(log_w, mass, k, importance)


def discrete_bound(log_probabilities, states, weights, log_prior, k, importance):
    """Return the exact bound of k samples of a discrete posterior, by enumeration."""
    log_w = log_joint(log_prior, states, weights) - log_probabilities
    return _expected_bound(log_w, np.exp(log_probabilities), k, importance)


def _expected_bound(log_w, mass, k, importance):
    if not importance:
        return mass @ log_w
    total = 0.0
    for chosen in itertools.product(range(len(log_w)), repeat=k):
        chosen = list(chosen)
        total += np.prod(mass[chosen]) * (scipy.special.logsumexp(log_w[chosen]) - np.log(k))
    return total
