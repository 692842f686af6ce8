"""Linear VAEs against scikit-learn's probabilistic PCA (Tipping & Bishop 1999) and factor analysis.

With a linear decoder and learned σ, x ~ N(b, WWᵀ + diag σ²) exactly. This is probabilistic PCA if all pixels share
one σ, which scikit-learn's PCA solves in closed form, and factor analysis if each pixel has its own σ, which
scikit-learn fits by EM. The data are 8×8 digits, with 5 latents. For factor analysis they are dequantized, (x +
u)/17, because pixels that never vary would make the density infinite. The VAE for PCA is that of
`benchmarks/linear_vae.py`.

    python benchmarks/reproduce/factor_analysis.py      # about 10 minutes on two cores
"""

from typing import Any

import keras
import numpy as np
from common import Work, begin
from linear_vae import covariance_parts, digits, exact_log_density, largest_angle, measure
from sklearn.decomposition import FactorAnalysis

import keras_vae as kv


def analyze(work: Work) -> dict[str, Any]:
    noise = np.random.default_rng(work["seed"])
    train, test = (
        ((16 * x + noise.uniform(size=x.shape)) / 17).astype(np.float32)[: work["examples"]]
        for x in digits(work["seed"])
    )
    model = kv.models.make("factor-analysis", train.shape[1], latent_size=work["latents"], seed=work["seed"])
    model.objective = kv.objectives.ELBO(work["step_samples"])
    steps = work["epochs"] * -(-len(train) // work["batch_size"])
    model.compile(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(work["learning_rate"], steps)))
    model.fit(train, batch_size=work["batch_size"], epochs=work["epochs"], verbose=0)

    theirs = FactorAnalysis(work["latents"], tol=1e-8, max_iter=work["em_iterations"], svd_method="lapack")
    theirs.fit(train.astype(np.float64))
    return {
        "exact": exact_log_density(model, test),
        "exact_on_train": exact_log_density(model, train),
        "scikit_learn": float(theirs.score(test)),
        "scikit_learn_on_train": float(theirs.score(train)),
        "largest_principal_angle_degrees": largest_angle(covariance_parts(model)[0], theirs.components_),
        "em_iterations": int(theirs.n_iter_),
    }


def main() -> None:
    with begin(__file__, __doc__) as work:
        pca = work.piece("probabilistic PCA", lambda: measure(work["pca_epochs"], work["seed"]))
        factors = work.piece("factor analysis", lambda: analyze(work))
        pca["behind"] = pca["ppca_scikit_learn"] - pca["exact"]
        factors["behind"] = factors["scikit_learn"] - factors["exact"]
        work.finish({"ppca": pca, "factor_analysis": factors})


if __name__ == "__main__":
    main()
