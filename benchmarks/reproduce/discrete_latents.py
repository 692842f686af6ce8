"""Gradient estimators for discrete latents on statically binarised MNIST: Jang, Gu & Poole (2017), Table 1.

200 Bernoulli latents, and 20 of ten categories, with a learned prior; one linear layer each way. Score function: one
sample, its baseline learned beside the model (NVIL, Mnih & Gregor 2014). Leave-one-out: the samples of one digit are
each other's baseline. Gumbel-softmax: relaxed samples whose temperature falls from 1 to ½. All are scored by the ELBO
of exact discrete samples.

    python benchmarks/reproduce/discrete_latents.py      # some 20 minutes on two cores
"""

from functools import partial
from typing import Any

import keras
from common import Work, begin

import keras_vae as kv
from keras_vae.families import Bernoulli, GumbelSoftmax, OneHotCategorical, RelaxedBernoulli

ESTIMATORS = ("score_function", "leave_one_out", "gumbel_softmax")


def build(work: Work, latents: str, estimator: str) -> kv.VAE:
    temperature = kv.schedules.Exponential(1.0, 0.5, work["cooling_steps"])
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


def main() -> None:
    with begin(__file__, __doc__) as work:
        train, test = work.examples
        settings = {"preprocess": "static", "seed": work["seed"]}
        data = kv.data.load(test, "test", batch_size=100, **settings)
        figures: dict[str, Any] = {}
        for latents in ("bernoulli", "categorical"):
            found = {}
            for estimator in ESTIMATORS:
                name = f"{latents}, {estimator}"
                model = work.train(name, partial(build, work, latents, estimator), train, work["epochs"], **settings)
                evaluate = partial(model.evaluate, data, verbose=0, return_dict=True)
                found[estimator] = -work.piece(f"{name}, bound", evaluate)["bound"]
            found["gumbel_gain"] = found["score_function"] - found["gumbel_softmax"]
            found["leave_one_out_gain"] = found["score_function"] - found["leave_one_out"]
            figures[latents] = found
        work.finish(figures)


if __name__ == "__main__":
    main()
