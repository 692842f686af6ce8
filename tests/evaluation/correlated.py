"""Linear-Gaussian models whose exact posterior is correlated, with and without a condition.

z ~ N(0, I), x|z ~ N(Wz + b, σ²I), so p(z|x) = N(Λ⁻¹Wᵀ(x − b)/σ², Λ⁻¹), Λ = I + WᵀW/σ². The columns of W are not
orthogonal, so Λ is not diagonal. The best diagonal normal has the same mean and variances 1/Λ_ii (Bishop 2006, section
10.1.2). Every gap is a KL between normals.
"""

import numpy as np
import scipy.stats

import keras_vae as kv

DATA, LATENT, SIGMA = 4, 2, 0.6
W = np.array([[1.0, 0.8], [0.5, 0.9], [-0.4, 0.3], [0.2, -0.6]])
B = np.array([0.3, -0.2, 0.5, 0.0])
PRECISION = np.eye(LATENT) + W.T @ W / SIGMA**2
COVARIANCE = np.linalg.inv(PRECISION)
# What y, one number, adds to the mean of x.
V = np.array([1.0, -1.0, 0.5, 2.0])


def model(family: kv.families.Family, loc_off: float, values: np.ndarray) -> kv.VAE:
    """Build the model whose encoder gives the exact mean plus `loc_off`, and `values` beside it for all x."""
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), family),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(DATA, scale=SIGMA)),
        seed=3,
    )
    projection = COVARIANCE @ W.T / SIGMA**2
    loc = (projection.T, loc_off - projection @ B)
    width = len(values) // LATENT if isinstance(family, kv.families.Normal) else None
    if width:  # loc and log-variance of each latent beside each other
        kernel, bias = np.zeros([DATA, LATENT, 2]), np.zeros([LATENT, 2])
        kernel[:, :, 0], bias[:, 0], bias[:, 1] = *loc, values
    else:  # all locs first
        kernel = np.concatenate([loc[0], np.zeros([DATA, len(values)])], axis=1)
        bias = np.concatenate([loc[1], values])
    vae.encoder.head.set_weights([kernel.reshape(DATA, -1), bias.reshape(-1)])
    vae.decoder.head.set_weights([W.T, B])
    return vae


def conditional_model() -> kv.VAE:
    """Build x|z, y ~ N(Wz + Vy + b, σ²I), with an encoder that knows nothing: q(z|x, y) = N(0, I)."""
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(LATENT)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(DATA, scale=SIGMA)),
        condition=kv.conditions.Vector(1),
        seed=3,
    )
    vae.encoder.head.set_weights([np.zeros([DATA + 1, 2 * LATENT]), np.zeros(2 * LATENT)])
    vae.decoder.head.set_weights([np.concatenate([W.T, V[None]]), B])
    return vae


def marginal() -> scipy.stats.rv_continuous:
    """Return p(x), by scipy; p(x|y) is that of x − Vy."""
    return scipy.stats.multivariate_normal(B, W @ W.T + SIGMA**2 * np.eye(DATA))


def data(n: int) -> np.ndarray:
    """Draw x from p(x)."""
    return marginal().rvs(n, random_state=2).astype(np.float32).reshape(n, DATA)


def kl(loc_off: np.ndarray, covariance: np.ndarray) -> float:
    """Return KL(N(m + loc_off, covariance) ‖ N(m, Λ⁻¹)), the exact posterior."""
    trace = np.trace(PRECISION @ covariance)
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(PRECISION)[1]
    return 0.5 * (trace + loc_off @ PRECISION @ loc_off - LATENT - logs)
