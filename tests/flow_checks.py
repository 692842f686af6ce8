"""What the tests of flows share: weights far from their start, and densities of two elements on a grid."""

import numpy as np
import scipy.stats
import tensorflow as tf


def randomize(layer, scale=0.7, seed=0):
    """Give every weight of a layer a random value: at their start flows are nearly the identity."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(rng.normal(scale=scale, size=weight.shape))


def grid(limit, cells):
    """Return the centers of `cells`² squares on [−limit, limit]², `[cells, cells, 2]`, and a square's area."""
    edges = np.linspace(-limit, limit, cells + 1)
    centers = (edges[1:] + edges[:-1]) / 2
    return np.stack(np.meshgrid(centers, centers, indexing="ij"), -1).astype(np.float32), (2 * limit / cells) ** 2


def cell_probabilities(distribution, limit, blocks, fine=25):
    """Return the probability of `blocks`² squares by the midpoint rule with `fine`² points each."""
    points, area = grid(limit, blocks * fine)
    density = np.exp(distribution.log_prob(points).numpy().astype(np.float64)) * area
    return density.reshape(blocks, fine, blocks, fine).sum((1, 3))


def samples_fit(distribution, limit, blocks=12, draws=20_000):
    """Return the p-value of Pearson's chi-squared test of draws against the density, over squares and the rest."""
    z = distribution.sample(draws, seed=tf.constant([1, 2])).numpy()
    edges = np.linspace(-limit, limit, blocks + 1)
    counts = np.histogram2d(z[:, 0], z[:, 1], [edges, edges])[0].ravel()
    wanted = draws * cell_probabilities(distribution, limit, blocks).ravel()
    often = wanted >= 5  # where the test's approximation holds; all other squares make one class
    counts = np.append(counts[often], draws - counts[often].sum())
    wanted = np.append(wanted[often], max(draws - wanted[often].sum(), 1.0))
    return scipy.stats.chisquare(counts, wanted * draws / wanted.sum()).pvalue


def jacobian(function, z):
    """Return ∂function/∂z at one vector, by automatic differentiation."""
    z = tf.convert_to_tensor(z)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        out = function(z)
    return tape.jacobian(out, z, experimental_use_pfor=False).numpy()


def differences(function, x, h=1e-4):
    """Return the gradient of a scalar function of a float64 array, by central differences."""
    found = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        found[i] = (float(function(x + step)) - float(function(x - step))) / (2 * h)
    return found
