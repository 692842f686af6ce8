"""Gradient estimators for discrete latents on statically binarized MNIST: Jang, Gu & Poole (2017), Table 1.

200 Bernoulli latents, and 20 of ten categories, with a learned prior; one linear layer each way. Score function: one
sample, its baseline learned beside the model (NVIL, Mnih & Gregor 2014). Leave-one-out: the samples of one digit are
each other's baseline. Gumbel-softmax: relaxed samples whose temperature falls from 1 to ½, as in the paper; and
straight-through, where the decoder sees discrete samples in training too.

As in the paper's section 4, each estimator has the learning rate that is best for it on a validation part, the last
10,000 training digits, and all are scored by discrete samples, by the bound of 1,000 of them; the ELBO stands beside
it.

    python benchmarks/reproduce/discrete_latents.py      # some 90 minutes on one core
"""

from functools import partial
from typing import Any

import keras
from common import Work, begin, held_out, mean_and_error

import keras_vae as kv
from keras_vae.families import Bernoulli, GumbelSoftmax, OneHotCategorical, RelaxedBernoulli

# As in the paper, from the best to the worst of its three.
ORDER = ("gumbel_softmax", "straight_through", "score_function")
ESTIMATORS = ("score_function", "leave_one_out", "gumbel_softmax", "straight_through")
RELAXED = ("gumbel_softmax", "straight_through")


def build(work: Work, latents: str, estimator: str, rate: float, steps: int) -> kv.VAE:
    temperature = kv.schedules.Exponential(1.0, 0.5, steps=steps)
    discrete: kv.families.Family
    relaxed: kv.families.Family
    straight = estimator == "straight_through"
    if latents == "bernoulli":
        discrete = Bernoulli(work["bernoulli"])
        relaxed = RelaxedBernoulli(work["bernoulli"], temperature=temperature, straight_through=straight)
    else:
        discrete = OneHotCategorical(tuple(work["categorical"]))
        relaxed = GumbelSoftmax(tuple(work["categorical"]), temperature=temperature, straight_through=straight)
    objective = {
        "score_function": lambda: kv.objectives.ELBO(estimator="nvil"),
        "leave_one_out": lambda: kv.objectives.ELBO(work["samples"], estimator="leave_one_out"),
    }.get(estimator, kv.objectives.ELBO)()
    hidden = work["hidden"]
    model = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(hidden), relaxed if estimator in RELAXED else discrete),
        decoder=kv.Decoder(kv.networks.MLP(hidden[::-1]), Bernoulli((28, 28, 1))),
        prior=kv.priors.Learned(type(discrete)(discrete.event_shape)),
        objective=objective,
        seed=work["seed"],
    )
    model.compile(optimizer=keras.optimizers.Adam(rate))
    return model


def trained(work: Work, name: str, start: Any, train: kv.data.Examples, epochs: int) -> kv.VAE:
    return work.train(name, start, train, epochs, preprocess="static", seed=work["seed"])


def batches(work: Work, examples: kv.data.Examples) -> Any:
    return kv.data.load(examples, "test", batch_size=100, preprocess="static", seed=work["seed"])


def choose(work: Work, latents: str, estimator: str) -> tuple[float, dict[str, float]]:
    """Return the rate with the best bound on the validation part, and the negative bounds of all."""
    fitted, validation = held_out(work.examples[0], work["validation_examples"])
    epochs, data = work["choice_epochs"], batches(work, validation)
    steps = epochs * -(-len(fitted) // work["batch_size"])
    found = {}
    for rate in work["rates"]:
        name = f"{latents}, {estimator}, choosing {rate:g}"
        model = trained(work, name, partial(build, work, latents, estimator, rate, steps), fitted, epochs)
        found[rate] = -float(work.log_likelihood(name, model, data, work["choice_samples"]).mean())
    return min(found, key=lambda rate: found[rate]), {f"{rate:g}": value for rate, value in found.items()}


def measure(work: Work, latents: str) -> dict[str, Any]:
    train, test = work.examples
    data, values, found = batches(work, test), {}, {}
    for estimator in ESTIMATORS:
        rate, by_rate = choose(work, latents, estimator)
        name = f"{latents}, {estimator}"
        start = partial(build, work, latents, estimator, rate, work["cooling_steps"])
        model = trained(work, name, start, train, work["epochs"])
        values[estimator] = work.log_likelihood(name, model, data, work["num_samples"])
        evaluate = partial(model.evaluate, data, verbose=0, return_dict=True)
        found[estimator] = {
            **mean_and_error(-values[estimator]),
            "elbo": -float(work.piece(f"{name}, bound", evaluate)["bound"]),
            "gain": mean_and_error(values[estimator] - values["score_function"]),
            "rate": rate,
            "validation": by_rate,
        }
    ours = [found[estimator]["mean"] for estimator in ORDER]
    return {**found, "in_order": ours == sorted(ours)}


def main() -> None:
    with begin(__file__, __doc__) as work:
        figures = {latents: measure(work, latents) for latents in ("bernoulli", "categorical")}
        chosen = "; ".join(
            f"{latents}: " + ", ".join(f"{name.replace('_', ' ')} {row[name]['rate']:g}" for name in ESTIMATORS)
            for latents, row in figures.items()
        )
        work.finish(
            figures,
            f"the learning rate of each estimator, by the bound of {work['choice_samples']} samples on the last "
            f"{work['validation_examples']:,} training digits after {work['choice_epochs']} epochs on the others "
            f"({chosen})",
        )


if __name__ == "__main__":
    main()
