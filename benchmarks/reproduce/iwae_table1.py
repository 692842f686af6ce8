"""VAE and IWAE on dynamically binarized MNIST: Burda, Grosse & Salakhutdinov (2016), Table 1, one stochastic layer.

As in the paper and the authors' code, the network is 784-200-200-50, tanh, trained by Adam with ε = 1e-4, and the
last bias of the decoder is initialized to the log-odds of the mean training digit. Unlike them, we use batch size 100
and cosine decay of the learning rate instead of 3,280 epochs at batch size 20. For each k, the initial and final
learning rates are chosen by the bound on a validation split, the last 10,000 training digits, after 60 epochs on the
others. The model is then trained on all 60,000. To show the effect of longer training, we run complete schedules of
several lengths, and also measure the longest one along the way.

    python benchmarks/reproduce/iwae_table1.py      # about three hours on one core
"""

from functools import partial
from typing import Any

import keras
import numpy as np
from common import Work, begin, held_out, mean_and_error
from matplotlib.figure import Figure
from tanh_net import tanh_net

import keras_vae as kv
from keras_vae.latent.activity import ACTIVE
from keras_vae.utils.files import whole

PUBLISHED = {"1": 86.76, "5": 85.54}


def build(work: Work, k: int, rates: list[float], source: kv.data.Examples, steps: int) -> kv.VAE:
    model = tanh_net(work, objective=kv.objectives.ELBO() if k == 1 else kv.objectives.IWAE(k))
    model.decoder.head.bias.assign(log_odds_of_the_mean(source))
    first, last = rates
    schedule = keras.optimizers.schedules.CosineDecay(first, steps, alpha=last / first)
    model.compile(optimizer=keras.optimizers.Adam(schedule, epsilon=work["epsilon"]))
    return model


def log_odds_of_the_mean(source: kv.data.Examples) -> np.ndarray:
    """Return the best logits for a decoder that ignores z; the mean is clipped as in the authors' code."""
    mean = np.clip(np.mean(source.images / 255.0, axis=0), 0.001, 0.999)
    return np.log(mean / (1.0 - mean)).ravel()


def trained(
    work: Work, name: str, k: int, rates: list[float], source: kv.data.Examples, epochs: int, keep: Any = ()
) -> kv.VAE:
    steps = epochs * -(-len(source) // work["batch_size"])
    return work.train(name, partial(build, work, k, rates, source, steps), source, epochs, keep=keep)


def choose(work: Work, k: int) -> tuple[list[float], list[dict[str, Any]]]:
    """Return the initial and final learning rate with the best bound on the validation split, and all bounds."""
    if len(work["rates"]) == 1:
        return work["rates"][0], []
    fitted, validation = held_out(work.examples[0], work["validation_examples"])
    data = kv.data.load(validation, "validation", batch_size=100, seed=work["seed"])
    found = []
    for rates in work["rates"]:
        name = f"k={k}, choosing {rates[0]:g} to {rates[1]:g}"
        model = trained(work, name, k, rates, fitted, work["choice_epochs"])
        evaluate = partial(model.evaluate, data, verbose=0, return_dict=True)
        found.append({"rates": rates, "bound": work.piece(f"{name}, validation", evaluate)["bound"]})
    return max(found, key=lambda row: row["bound"])["rates"], found


def nll(work: Work, name: str, model: kv.VAE, test: Any, samples: int) -> float:
    return -float(work.log_likelihood(name, model, test, samples).mean())


def measure(work: Work, k: int, test: Any) -> dict[str, Any]:
    rates, validation = choose(work, k)
    *shorter, longest = work["lengths"][str(k)]
    schedules = []
    for epochs in shorter:
        name = f"k={k}, {epochs} epochs"
        model = trained(work, name, k, rates, work.examples[0], epochs)
        schedules.append({"epochs": epochs, "nll": nll(work, name, model, test, work["curve_samples"])})
    name = f"k={k}, {longest} epochs"
    along = [round(longest * share) for share in work["curve"]]
    model = trained(work, name, k, rates, work.examples[0], longest, keep=along)
    curve = [
        {
            "epoch": epoch,
            "nll": nll(work, f"{name}, after {epoch}", work.kept(name, epoch), test, work["curve_samples"]),
        }
        for epoch in along
    ]
    schedules.append({"epochs": longest, "nll": curve[-1]["nll"]})
    estimate = mean_and_error(work.log_likelihood(name, model, test, work["num_samples"]))
    x = np.concatenate(list(test.as_numpy_iterator()))
    activity = work.piece(f"{name}, activity", lambda: kv.latent.activity(model, x).tolist())
    ordered = [*work.bounds(name, model, test), {"k": work["num_samples"], "bound": estimate["mean"]}]
    return {
        "rates": rates,
        "validation_bounds": validation,
        "training_minutes": work.seconds[f"training {name}"] / 60,
        "nll": -estimate["mean"],
        "standard_error": estimate["standard_error"],
        "active_units": sum(value > ACTIVE for value in activity),
        "bounds": ordered,
        "bounds_in_order": ordered == sorted(ordered, key=lambda row: row["bound"]),
        "along_the_longest": curve,
        "whole_schedules": schedules,
    }


def draw(figures: dict[str, Any], samples: int) -> Figure:
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for (k, published), color in zip(PUBLISHED.items(), ("#1f6f8b", "#c8553d"), strict=True):
        name = "VAE, k = 1" if k == "1" else f"IWAE, k = {k}"
        found = figures[f"k{k}"]
        along, ends = found["along_the_longest"], found["whole_schedules"]
        axes.plot([p["epoch"] for p in along], [p["nll"] for p in along], color=color, label=f"{name}, one run")
        axes.plot(
            [p["epochs"] for p in ends],
            [p["nll"] for p in ends],
            "o",
            color=color,
            label=f"{name}, whole schedules of this length",
        )
        axes.axhline(published, color=color, linestyle=":", label=f"{name}, published (L_5000)")
    axes.set_xscale("log")
    axes.set_xlabel("epochs (passes over 60,000 digits)")
    axes.set_ylabel(f"test −L_{samples}, nats")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    with begin(__file__, __doc__) as work:
        test = kv.data.load(work.examples[1], "test", batch_size=100, seed=work["seed"])
        figures = {f"k{k}": measure(work, int(k), test) for k in PUBLISHED}
        with whole(work.picture("iwae_epochs")) as unfinished:
            draw(figures, work["curve_samples"]).savefig(unfinished, dpi=150)
        if len(work["rates"]) == 1:
            work.finish(figures)
            return
        work.finish(
            figures,
            "used to choose the initial and final learning rate for each k, by the bound on the last "
            f"{work['validation_examples']:,} training digits after {work['choice_epochs']} epochs on the others; the "
            "final models were trained on all of them",
        )


if __name__ == "__main__":
    main()
