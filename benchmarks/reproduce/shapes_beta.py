"""Reconstruction against disentanglement as β varies, on drawn shapes with known factors: Higgins et al. (2017).

The data are the `shapes` of this package: 10,368 images generated from five factors. They are modeled on dSprites,
which is seventy times larger. Each β is run with three seeds for weights, order, and noise, because the seed matters
as much as β. Reconstruction is E_q[log p(x|z)] on the test split. The metrics use posterior means on the complete
grid, where the factors are independent.

    python benchmarks/reproduce/shapes_beta.py      # about 40 minutes on one core
"""

from functools import partial
from typing import Any

import keras
import numpy as np
from common import Work, begin
from matplotlib.figure import Figure

import keras_vae as kv
from keras_vae.evaluation.latents.disentanglement import disentanglement
from keras_vae.utils.files import whole


def build(work: Work, beta: float, seed: int) -> kv.VAE:
    model = kv.models.vae(
        work.examples[0].image_shape,
        latent_size=work["latents"],
        hidden=work["hidden"],
        objective=kv.objectives.ELBO(beta=beta),
        seed=seed,
    )
    model.compile(optimizer=keras.optimizers.Adam(work["learning_rate"]))
    return model


def measure(work: Work, model: kv.VAE, seed: int) -> dict[str, float]:
    test = kv.data.load(work.examples[1], "test", batch_size=100, seed=work["seed"])
    grid = kv.data.load(work["data"], "all", batch_size=100, with_labels=True, shuffle=False, seed=work["seed"])
    terms = model.evaluate(test, verbose=0, return_dict=True)
    found = disentanglement(model, grid, metrics=work["metrics"], seed=seed)
    print(found)
    return {**{name: terms[name] for name in ("reconstruction", "kl", "bound")}, **found.scores}


def over_seeds(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Return the mean and standard deviation of each figure over seeds, and all values."""
    found = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        found[name] = {"mean": float(np.mean(values)), "deviation": float(np.std(values, ddof=1)), "values": values}
    return found


def draw(figures: dict[str, Any], metrics: dict[str, str]) -> Figure:
    figure = Figure(figsize=(4.2 * len(metrics), 3.8), layout="constrained")
    for axes, (metric, title) in zip(figure.subplots(1, len(metrics)), metrics.items(), strict=True):
        for (name, found), color in zip(figures.items(), ("#7b8794", "#1f6f8b", "#e0a030", "#c8553d"), strict=False):
            axes.plot(found["reconstruction"]["values"], found[metric]["values"], "o", color=color, alpha=0.45)
            axes.plot(
                found["reconstruction"]["mean"],
                found[metric]["mean"],
                "D",
                color=color,
                label=f"β = {name.removeprefix('beta')}",
            )
        axes.set_xlabel("test reconstruction E[log p(x|z)], nats")
        axes.set_ylabel(title)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, title="mean of the seeds")
    return figure


def main() -> None:
    with begin(__file__, __doc__) as work:
        rows: dict[int, list[dict[str, float]]] = {}
        for beta in work["betas"]:
            rows[beta] = []
            for seed in work["seeds"]:
                name = f"beta {beta}, seed {seed}"
                model = work.train(name, partial(build, work, beta, seed), work.examples[0], work["epochs"], seed=seed)
                rows[beta].append(work.piece(f"{name}, measures", partial(measure, work, model, seed)))
        figures: dict[str, Any] = {f"beta{beta}": over_seeds(found) for beta, found in rows.items()}
        with whole(work.picture("shapes_beta")) as unfinished:
            draw(figures, {"beta_vae": "β-VAE metric", "mig": "MIG"}).savefig(unfinished, dpi=150)
        # Paired by seed: same initial weights, same order of the images.
        gains = [{name: b[name] - a[name] for name in a} for a, b in zip(rows[work["betas"][0]], rows[4], strict=True)]
        reconstructions = [found["reconstruction"]["mean"] for found in figures.values()]
        falls = reconstructions == sorted(reconstructions, reverse=True)
        work.finish({**figures, "beta4_against_1": over_seeds(gains), "reconstruction_falls": falls})


if __name__ == "__main__":
    main()
