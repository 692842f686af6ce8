"""A VAE of two linear layers, whose log-likelihood and posterior are known exactly.

z2 ~ N(0, I), z1|z2 ~ N(A z2, s²I), x|z1 ~ N(B z1, t²I); z2 has two latents, z1 three, x four.
"""

import numpy as np
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import keras_vae as kv

DATA, TOP, BOTTOM = 4, 2, 3
SCALES = {"x": 0.7, "z1": 0.5}


def linear_chain(exact=False, objective=None):
    """Return the model, its p(x), and A and B.

    Args:
        exact: Whether the encoder is the exact posterior, q(z1|x) q(z2|z1) = p(z1, z2|x); otherwise it is untrained.
        objective: The model's.
    """
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=[BOTTOM, TOP]), rng.normal(size=[DATA, BOTTOM])
    link = kv.Decoder(kv.networks.MLP(), kv.families.Normal(BOTTOM, scale=SCALES["z1"]))
    vae = kv.VAE(
        encoder=kv.ChainEncoder(
            {
                "z1": kv.Encoder(kv.networks.MLP(), kv.families.FullNormal(BOTTOM)),
                "z2": kv.Encoder(kv.networks.MLP(), kv.families.FullNormal(TOP)),
            }
        ),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(DATA, scale=SCALES["x"])),
        prior=kv.priors.Chain({"z2": kv.priors.StandardNormal(TOP), "z1": link}),
        objective=objective,
        seed=3,
    )
    link.head.set_weights([a.T, np.zeros(BOTTOM)])
    vae.decoder.head.set_weights([b.T, np.zeros(DATA)])
    if exact:
        for name, (slope, covariance) in posteriors(a, b).items():
            vae.encoder.links[name].head.set_weights(_full_normal(slope, covariance))
    of_z1 = _covariance_of_z1(a)
    of_x = b @ of_z1 @ b.T + SCALES["x"] ** 2 * np.eye(DATA)
    return vae, scipy.stats.multivariate_normal(np.zeros(DATA), of_x), (a, b)


def posteriors(a, b):
    """Return the slope of the mean and the covariance of p(z1|x) and of p(z2|z1)."""
    of_z1 = np.linalg.inv(np.linalg.inv(_covariance_of_z1(a)) + b.T @ b / SCALES["x"] ** 2)
    of_z2 = np.linalg.inv(np.eye(TOP) + a.T @ a / SCALES["z1"] ** 2)
    return {
        "z1": (of_z1 @ b.T / SCALES["x"] ** 2, of_z1),
        "z2": (of_z2 @ a.T / SCALES["z1"] ** 2, of_z2),
    }


def data(marginal, count, seed=1):
    """Draw x from p(x)."""
    return marginal.rvs(count, random_state=seed).astype(np.float32).reshape(count, DATA)


def _covariance_of_z1(a):
    return a @ a.T + SCALES["z1"] ** 2 * np.eye(BOTTOM)


def _full_normal(slope, covariance):
    """Return the weights of an output layer whose `FullNormal` is N(slope · input, covariance)."""
    triangle = np.linalg.cholesky(covariance)
    sigma = np.diag(triangle)
    size, most = len(sigma), 100.0  # see FullNormal.call
    values = size * most * np.arctanh(triangle / sigma[:, None] / most)
    values[np.diag_indices(size)] = np.log(sigma)
    rest = tfp.math.fill_triangular_inverse(tf.constant(values)).numpy()
    kernel = np.concatenate([slope.T, np.zeros([slope.shape[1], len(rest)])], axis=1)
    return [kernel, np.concatenate([np.zeros(size), rest])]
