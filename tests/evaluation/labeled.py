"""The model of `linear_gaussian` with a label: x|z, y ~ N(Wz + b + SHIFT[y], σ²I), and its exact posterior."""

import numpy as np

import keras_vae as kv
from tests.linear_gaussian import DATA, LATENT, SIGMA, weights

SHIFT = np.array([[3.0, 3.0, 3.0, 3.0, 3.0], [-2.0, 0.0, 2.0, 0.0, 1.0]])


def model() -> kv.VAE:
    """Build it; labels are 0 and 1."""
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(LATENT)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(DATA, scale=SIGMA)),
        condition=kv.conditions.Label(2),
        seed=3,
    )
    w, b = weights()
    precision = np.sum(w**2, axis=0) + SIGMA**2
    kernel, bias = np.zeros([DATA + 2, LATENT, 2]), np.zeros([LATENT, 2])
    kernel[:DATA, :, 0], kernel[DATA:, :, 0] = w / precision, -(SHIFT @ w) / precision
    bias[:, 0], bias[:, 1] = -(b @ w) / precision, np.log(SIGMA**2 / precision)
    vae.encoder.head.set_weights([kernel.reshape(DATA + 2, -1), bias.reshape(-1)])
    vae.decoder.head.set_weights([np.concatenate([w.T, SHIFT]), b])
    return vae
