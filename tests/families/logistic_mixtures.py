"""One-pixel mixtures of discretized logistics, and the truth about them in double precision and by enumeration."""

from decimal import Decimal, localcontext

import numpy as np
import scipy.special
import scipy.stats
import tensorflow as tf

from keras_vae.families.discretized_logistic_mixture import DiscretizedLogisticMixture

LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)
K = 2


def one_pixel(channels, rows):
    """The family and its parameters of a single pixel, from the unconstrained values as rows of K."""
    family = DiscretizedLogisticMixture((1, 1, channels), components=K)
    return family, family(tf.reshape(tf.constant(rows, tf.float32), [1, 1, 1, -1]))


def gray(loc, log_scale, logits=(0.3, -0.5)):
    return one_pixel(1, [logits, loc, log_scale])


def rgb(loc, log_scale, coefficients, logits=(0.3, -0.5)):
    return one_pixel(3, [logits, *loc, *log_scale, *coefficients])


# Dark, middling and bright pixels; broad and narrow; at the edges, where the tails count.
GRAYS = {
    "broad": ([-0.5, 0.8], [0.0, -1.0]),
    "narrow": ([-0.2, 0.3], [-5.0, -3.0]),
    "edges": ([-1.1, 1.0], [-2.0, -6.0]),
}
COLORS = {
    "broad": ([[-0.5, 0.8], [0.2, 0.9], [-0.3, 0.1]], [[0.0, -1.0], [-1.5, -2.5], [-1.0, -3.0]]),
    "clipped": ([[0.9, -0.9], [0.7, -0.8], [1.0, -0.2]], [[-1.0, -0.5], [-3.0, -2.0], [-4.0, -2.0]]),
}
COEFFICIENTS = [[1.0, -0.7], [-0.9, 2.0], [0.4, 1.5]]


def moments(family, p):
    """Mean and scale, in a graph: the loops over levels or colors are slow outside one."""
    mean, scale = tf.function(lambda: (family.mean(p), family.scale(p)))()
    return mean.numpy(), scale.numpy()


def cdf(levels, loc, log_scale):
    """P(X < level) in double precision, of a logistic in gray levels, from the unconstrained values."""
    scale = 127.5 * np.exp(7 * np.tanh(np.asarray(log_scale, np.float64) / 7))
    return scipy.stats.logistic.cdf(levels, 127.5 * (1 + np.asarray(loc, np.float64)), scale)


def masses(loc, log_scale):
    """The probabilities of 256 levels, `[..., 256]`: equation 2 as printed, for `loc` of any shape."""
    edges = cdf(np.arange(255) + 0.5, np.asarray(loc)[..., None], np.asarray(log_scale)[..., None])
    zeros = np.zeros_like(edges[..., :1])
    return np.diff(np.concatenate([zeros, edges, zeros + 1], axis=-1), axis=-1)


def color_masses(loc, log_scale, coefficients, component):
    """P(red), P(green | red) and the rule for blue's location: equation 3, one component."""
    (red, green, blue), scales = np.array(loc)[:, component], np.array(log_scale)[:, component]
    alpha, beta, gamma = np.tanh(np.array(coefficients)[:, component])
    x = 2 * np.arange(256) / 255 - 1  # the paper's units
    return (
        masses(red, scales[0]),
        masses(green + alpha * x, scales[1]),
        lambda r, g: blue + beta * (2 * r / 255 - 1) + gamma * (2 * g / 255 - 1),
        scales[2],
    )


def exact_log_mass(level, loc, scale):
    """Log of equation 2, one component, in 60 digits, from location and scale in units of the data."""
    with localcontext() as context:
        context.prec, context.Emin = 60, -(10**17)
        loc, scale = (Decimal(float(value)) * 255 for value in (loc, scale))

        def sigmoid(t):
            return 1 / (1 + (-t).exp()) if t > 0 else t.exp() / (1 + t.exp())

        upper = sigmoid((level + Decimal("0.5") - loc) / scale) if level < 255 else Decimal(1)
        lower = sigmoid((level - Decimal("0.5") - loc) / scale) if level > 0 else Decimal(0)
        if loc < level:  # by the other tail, where 60 digits do not tell σ from 1
            upper, lower = (
                sigmoid((loc - level + Decimal("0.5")) / scale) if level > 0 else Decimal(1),
                sigmoid((loc - level - Decimal("0.5")) / scale) if level < 255 else Decimal(0),
            )
        return float((upper - lower).ln())


def exact_moments(loc, log_scale, coefficients):
    """Mean and standard deviation of each channel over all 256³ colors."""
    levels, first, second = np.arange(256) / 255, np.zeros(3), np.zeros(3)
    for component, weight in enumerate(scipy.special.softmax([0.3, -0.5])):
        red, green, blue_loc, blue_scale = color_masses(loc, log_scale, coefficients, component)
        green_marginal = red @ green
        blue_marginal = np.zeros(256)
        for r in range(256):
            blue_marginal += red[r] * (green[r] @ masses(blue_loc(r, np.arange(256)), blue_scale))
        marginals = np.stack([red, green_marginal, blue_marginal])
        first += weight * marginals @ levels
        second += weight * marginals @ levels**2
    return first, np.sqrt(second - first**2)
