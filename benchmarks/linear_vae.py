"""A linear VAE against the exact log-likelihood and scikit-learn, on gray 8×8 digits.

With a linear decoder and a single learned σ, log p(x) is known exactly: x ~ N(b, WWᵀ + σ²I). This is probabilistic PCA
(Tipping & Bishop 1999), whose maximum likelihood solution scikit-learn's PCA computes in closed form. The script trains
the linear VAE and compares, in nats per held-out example: its ELBO, its importance-sampled log-likelihood, its exact
log-likelihood, and the log-likelihood of PPCA.

    python benchmarks/linear_vae.py                 # about a minute on two cores
"""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import scipy.linalg
import scipy.stats
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import keras_vae as kv
from keras_vae.utils.files import whole

LATENT = 5


def digits(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return training and held-out digits, gray in [0, 1]."""
    x = (load_digits().data / 16).astype(np.float32)
    x = x[np.random.default_rng(seed).permutation(len(x))]
    return x[:1500], x[1500:]


def covariance_parts(model: kv.VAE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Wᵀ `[latents, pixels]`, b `[pixels]` and σ² of a linear decoder with a learned scale."""
    w, b = (p.astype(float) for p in model.decoder.head.get_weights())
    return w, b, np.exp(2 * model.decoder.family.log_scale.numpy().astype(float))


def exact_log_density(model: kv.VAE, x: np.ndarray) -> float:
    """Return the mean log p(x), x ~ N(b, WWᵀ + σ²I), in nats."""
    w, b, variance = covariance_parts(model)
    return float(scipy.stats.multivariate_normal(b, w.T @ w + variance * np.eye(len(b))).logpdf(x).mean())


def largest_angle(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest principal angle between the row spaces, in degrees."""
    return float(np.degrees(scipy.linalg.subspace_angles(one.T, other.T).max()))


def measure(epochs: int = 600, seed: int = 0) -> dict[str, Any]:
    keras.utils.set_random_seed(seed)
    train, test = digits(seed)

    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(LATENT)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(train.shape[1], scale="learned")),
        seed=seed,
    )
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=epochs * 15)
    vae.compile(optimizer=keras.optimizers.Adam(schedule))
    vae.fit(train, batch_size=100, epochs=epochs, verbose=0)

    pca = PCA(LATENT).fit(train)
    vae.objective = kv.objectives.ELBO(num_samples=100)
    vae.compile()
    return {
        "elbo": vae.evaluate(test, verbose=0, return_dict=True)["bound"],
        "importance_sampled": kv.evaluation.log_likelihood(vae, test, num_samples=5000, verbose=False).mean,
        "exact": exact_log_density(vae, test),
        "ppca_scikit_learn": float(pca.score(test)),
        "largest_principal_angle_degrees": largest_angle(covariance_parts(vae)[0], pca.components_),
    }


def main() -> None:
    figures = measure()
    print(json.dumps(figures, indent=1))
    with whole(Path(__file__).parent / "results" / "linear_vae.json") as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
