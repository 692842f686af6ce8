"""Gradient estimators for discrete latents on statically binarised MNIST: Jang, Gu & Poole (2017), Table 1.

200 Bernoulli latents, and 20 of ten categories, with a learned prior; one linear layer each way. Score function: one
sample, its baseline learned beside the model (NVIL, Mnih & Gregor 2014). Leave-one-out: the samples of one digit are
each other's baseline. Gumbel-softmax: relaxed samples whose temperature falls from 1 to ½, as in the paper; and to a
lower one, chosen by the bound on a validation part, the last 10,000 training digits. All are scored by the ELBO of
exact discrete samples.

    python benchmarks/reproduce/discrete_latents.py      # some 30 minutes on one core
"""

from functools import partial
from typing import Any

import keras
from common import Work, begin, held_out

import keras_vae as kv
from keras_vae.families import Bernoulli, GumbelSoftmax, OneHotCategorical, RelaxedBernoulli

ESTIMATORS = ("score_function", "leave_one_out", "gumbel_softmax")
PUBLISHED_END = 0.5  # of the temperature


def build(work: Work, latents: str, estimator: str, end: float, steps: int) -> kv.VAE:
    temperature = kv.schedules.Exponential(1.0, end, steps)
    discrete: kv.families.Family
    relaxed: kv.families.Family
    if latents == "bernoulli":
        discrete = Bernoulli(work["bernoulli"])
        relaxed = RelaxedBernoulli(work["bernoulli"], temperature)
    else:
        discrete = OneHotCategorical(tuple(work["categorical"]))
        relaxed = GumbelSoftmax(tuple(work["categorical"]), temperature)
    objective = {
        "score_function": lambda: kv.objectives.ELBO(estimator="nvil"),
        "leave_one_out": lambda: kv.objectives.ELBO(work["samples"], estimator="leave_one_out"),
        "gumbel_softmax": kv.objectives.ELBO,
    }[estimator]()
    hidden = work["hidden"]
    model = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(hidden), relaxed if estimator == "gumbel_softmax" else discrete),
        decoder=kv.Decoder(kv.networks.MLP(hidden[::-1]), Bernoulli((28, 28, 1))),
        prior=kv.priors.Learned(type(discrete)(discrete.event_shape)),
        objective=objective,
        seed=work["seed"],
    )
    model.compile(optimizer=keras.optimizers.Adam(work["learning_rate"]))
    return model


def trained(work: Work, name: str, start: Any, train: kv.data.Examples, test: kv.data.Examples, epochs: int) -> float:
    """Return the negative bound on `test` of a model trained on `train`, in nats."""
    settings = {"preprocess": "static", "seed": work["seed"]}
    model = work.train(name, start, train, epochs, **settings)
    data = kv.data.load(test, "test", batch_size=100, **settings)
    evaluate = partial(model.evaluate, data, verbose=0, return_dict=True)
    return -work.piece(f"{name}, bound", evaluate)["bound"]


def coldest(work: Work, latents: str) -> tuple[float, dict[str, float]]:
    """Return the best last temperature on the validation part, and the negative bounds of all."""
    fitted, validation = held_out(work.examples[0], work["validation_examples"])
    epochs = work["choice_epochs"]
    steps = epochs * -(-len(fitted) // work["batch_size"])
    found = {
        str(end): trained(
            work,
            f"{latents}, choosing {end}",
            partial(build, work, latents, "gumbel_softmax", end, steps),
            fitted,
            validation,
            epochs,
        )
        for end in work["ends"]
    }
    return min(work["ends"], key=lambda end: found[str(end)]), found


def measure(work: Work, latents: str) -> dict[str, Any]:
    train, test = work.examples
    epochs, steps = work["epochs"], work["cooling_steps"]
    found: dict[str, Any] = {
        estimator: trained(
            work,
            f"{latents}, {estimator}",
            partial(build, work, latents, estimator, PUBLISHED_END, steps),
            train,
            test,
            epochs,
        )
        for estimator in ESTIMATORS
    }
    end, by_end = coldest(work, latents)
    start = partial(build, work, latents, "gumbel_softmax", end, steps)
    found["colder"] = trained(work, f"{latents}, gumbel_softmax to {end}", start, train, test, epochs)
    gains = {f"{name}_gain": found["score_function"] - value for name, value in found.items()}
    # What training itself reports, over its last epoch: relaxed samples on both sides.
    history = kv.training.read_history(work.folder / f"{latents}, gumbel_softmax" / "history.json")
    return {**found, **gains, "relaxed": -history[-1]["bound"], "end": end, "validation": by_end}


def main() -> None:
    with begin(__file__, __doc__) as work:
        figures = {latents: measure(work, latents) for latents in ("bernoulli", "categorical")}
        work.finish(
            figures,
            f"the colder last temperature, by the bound on the last {work['validation_examples']:,} training digits "
            f"after {work['choice_epochs']} epochs on the others. It was put in after a run down to the paper's ½",
        )


if __name__ == "__main__":
    main()
