"""Gradient estimators for discrete latents on statically binarized MNIST: Jang, Gu & Poole (2017), Table 1.

The latents are 200 Bernoulli variables or 20 variables with ten categories each, with a learned prior; encoder and
decoder have one linear layer each. Score function: one sample, with a baseline trained alongside the model (NVIL,
Mnih & Gregor 2014). Leave-one-out: the samples of a digit serve as baselines for each other. Gumbel-softmax: relaxed
samples, with a temperature annealed from 1 to ½ as in the paper. Straight-through: the decoder also sees discrete
samples during training.

As in section 4 of the paper, each estimator uses the learning rate that works best for it on a validation split, the
last 10,000 training digits. All are scored with discrete samples, by the bound with 1,000 samples; the ELBO is reported
as well.

    python benchmarks/reproduce/discrete_latents.py      # about 90 minutes on one core
"""

from functools import partial
from typing import Any

import keras
from common import Work, begin, held_out, mean_and_error

import keras_vae as kv
from keras_vae.families import Bernoulli, GumbelSoftmax, OneHotCategorical, RelaxedBernoulli

# From best to worst in the paper.
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
    """Return the rate with the best bound on the validation split, and the negative bound of every rate."""
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
            "used to choose the learning rate of each estimator, by the bound with "
            f"{work['choice_samples']} samples on the last {work['validation_examples']:,} training digits after "
            f"{work['choice_epochs']} epochs on the others ({chosen})",
        )


if __name__ == "__main__":
    main()
