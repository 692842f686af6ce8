"""Approximation and amortisation gaps of a normal and a flow posterior: Cremer, Li & Duvenaud (2018).

Two VAEs, 784-200-200-50, dynamically binarised MNIST, equal epochs: one with a normal posterior, one with planar flows,
all of whose parameters the encoder gives, so that all of them are optimised for each data point. (The paper's flow is
another, with auxiliary variables.) Each gap is a mean over the same 500 test digits.

    python benchmarks/reproduce/inference_gaps.py      # some 40 minutes on two cores
"""

from functools import partial
from typing import Any

import keras
import numpy as np
from common import Work, begin, mean_and_error

import keras_vae as kv
from keras_vae.evaluation.gaps import inference_gaps


def build(work: Work, posterior: str) -> kv.VAE:
    hidden, latents = work["hidden"], work["latents"]
    family = kv.families.Normal(latents) if posterior == "normal" else kv.families.PlanarFlow(latents, work["flows"])
    model = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(hidden, activation="tanh"), family),
        decoder=kv.Decoder(kv.networks.MLP(hidden[::-1], activation="tanh"), kv.families.Bernoulli((28, 28, 1))),
        seed=work["seed"],
    )
    model.compile(optimizer=keras.optimizers.Adam(work["learning_rate"]))
    return model


def measure(work: Work, model: kv.VAE, x: np.ndarray) -> dict[str, Any]:
    found = inference_gaps(model, x, work["num_samples"], max_steps=work["max_steps"], seed=work["seed"])
    print(found)
    return {
        "log_likelihood": mean_and_error(found.log_likelihood.per_example),
        "approximation": mean_and_error(found.approximation),
        "amortisation": mean_and_error(found.amortisation),
        "sum": mean_and_error(found.total),
        "steps": found.steps,
        "warnings": list(found.warnings()),
    }


def main() -> None:
    with begin(__file__, __doc__) as work:
        train, test = work.examples
        data = kv.data.load(test, "test", batch_size=work["digits"], seed=work["seed"])
        x = next(data.as_numpy_iterator())  # binarised once for both
        figures: dict[str, Any] = {}
        for name in ("normal", "flow"):
            model = work.train(name, partial(build, work, name), train, work["epochs"])
            figures[name] = work.piece(f"{name}, gaps", partial(measure, work, model, x))
            figures[name]["nll"] = -figures[name]["log_likelihood"]["mean"]
        figures["smaller_by"] = figures["normal"]["approximation"]["mean"] - figures["flow"]["approximation"]["mean"]
        work.finish(figures)


if __name__ == "__main__":
    main()
