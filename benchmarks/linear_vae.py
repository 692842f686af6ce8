"""A linear VAE against the exact log-likelihood and scikit-learn, on grey 8×8 digits.

With a linear decoder and one learned σ, log p(x) is known exactly: x ~ N(b, WWᵀ + σ²I), probabilistic PCA (Tipping &
Bishop 1999), whose maximum likelihood solution scikit-learn's PCA has in closed form. The script trains the
linear VAE, and compares, in nats per example on held-out digits: its ELBO, its importance-sampled
log-likelihood, its exact log-likelihood, and PPCA's.

    python benchmarks/linear_vae.py                 # about a minute on two cores
"""

import json
from pathlib import Path

import keras
import numpy as np
import scipy.linalg
import scipy.stats
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import keras_vae as kv
from keras_vae.files import whole

LATENT = 5


def main() -> None:
    keras.utils.set_random_seed(0)
    x = (load_digits().data / 16).astype(np.float32)
    x = x[np.random.default_rng(0).permutation(len(x))]
    train, test = x[:1500], x[1500:]

    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(LATENT)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(x.shape[1], scale="learned")),
        seed=0,
    )
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=600 * 15)
    vae.compile(optimizer=keras.optimizers.Adam(schedule))
    vae.fit(train, batch_size=100, epochs=600, verbose=0)

    w, b = (p.astype(float) for p in vae.decoder.head.get_weights())
    variance = float(np.exp(2 * vae.decoder.family.log_scale.numpy()))
    exact = scipy.stats.multivariate_normal(b, w.T @ w + variance * np.eye(x.shape[1]))
    pca = PCA(LATENT).fit(train)
    vae.objective = kv.objectives.ELBO(num_samples=100)
    vae.compile()
    figures = {
        "elbo": vae.evaluate(test, verbose=0, return_dict=True)["bound"],
        "importance_sampled": kv.evaluation.log_likelihood(vae, test, 5000, verbose=False).mean,
        "exact": float(exact.logpdf(test).mean()),
        "ppca_scikit_learn": float(pca.score(test)),
        "largest_principal_angle_degrees": float(
            np.degrees(scipy.linalg.subspace_angles(w.T, pca.components_.T).max())
        ),
    }
    print(json.dumps(figures, indent=1))
    with whole(Path(__file__).parent / "results" / "linear_vae.json") as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
