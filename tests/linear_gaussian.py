"""A VAE whose log-likelihood and posterior are known exactly.

z ~ N(0, I), x|z ~ N(Wz + b, σ²I), so x ~ N(b, WWᵀ + σ²I). The columns of W are orthogonal, so that the exact
posterior N(M⁻¹Wᵀ(x − b), σ²M⁻¹), M = WᵀW + σ²I, is diagonal and within reach of a linear encoder.
"""

import numpy as np
import scipy.stats

import keras_vae as kv

DATA, LATENT, SIGMA = 5, 2, 0.7


def model(exact_posterior: bool, num_samples: int = 1) -> kv.VAE:
    """Build the model, its encoder the exact posterior or one a little off."""
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(LATENT)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(DATA, scale=SIGMA)),
        objective=kv.objectives.ELBO(num_samples),
        seed=3,
    )
    w, b = weights()
    precision = np.sum(w**2, axis=0) + SIGMA**2  # the diagonal of M
    kernel = np.zeros([DATA, LATENT, 2])
    bias = np.zeros([LATENT, 2])
    kernel[:, :, 0] = w / precision
    bias[:, 0] = -(b @ w) / precision
    bias[:, 1] = np.log(SIGMA**2 / precision)
    if not exact_posterior:
        bias[:, 0] += 0.2
        bias[:, 1] += 0.3
    vae.encoder.head.set_weights([kernel.reshape(DATA, -1), bias.reshape(-1)])
    vae.decoder.head.set_weights([w.T, b])
    return vae


def weights() -> tuple[np.ndarray, np.ndarray]:
    """Return W, with orthogonal columns, and b."""
    rng = np.random.default_rng(1)
    q, _ = np.linalg.qr(rng.normal(size=[DATA, LATENT]))
    return q * np.array([1.5, 0.8]), rng.normal(size=DATA)


def marginal() -> scipy.stats.rv_continuous:
    """Return p(x), by scipy."""
    w, b = weights()
    return scipy.stats.multivariate_normal(b, w @ w.T + SIGMA**2 * np.eye(DATA))


def data(n: int) -> np.ndarray:
    """Draw x from p(x)."""
    return marginal().rvs(n, random_state=2).astype(np.float32).reshape(n, DATA)
