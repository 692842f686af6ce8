"""Approximation and amortisation gaps of a normal and a flow posterior: Cremer, Li & Duvenaud (2018).

Two VAEs, 784-200-200-50, dynamically binarised MNIST, equal epochs: one with a normal posterior, one with planar flows,
all of whose parameters the encoder gives, so that all of them are optimised for each data point. (The paper's flow is
another, with auxiliary variables.) The gaps compared with the paper's are means over 500 digits that the models were
trained on, as in the authors' code; those of 500 test digits stand beside them.

    python benchmarks/reproduce/inference_gaps.py      # some 60 minutes on one core
"""

from functools import partial
from typing import Any

import keras
import numpy as np
from common import Work, begin, mean_and_error

import keras_vae as kv
from keras_vae.evaluation.gaps import inference_gaps

POSTERIORS = ("normal", "flow")


def build(work: Work, posterior: str, steps: int) -> kv.VAE:
    hidden, latents = work["hidden"], work["latents"]
    family = kv.families.Normal(latents) if posterior == "normal" else kv.families.PlanarFlow(latents, work["flows"])
    model = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(hidden, activation="tanh"), family),
        decoder=kv.Decoder(kv.networks.MLP(hidden[::-1], activation="tanh"), kv.families.Bernoulli((28, 28, 1))),
        seed=work["seed"],
    )
    first, last = work["rates"]
    schedule = keras.optimizers.schedules.CosineDecay(first, steps, alpha=last / first)
    model.compile(optimizer=keras.optimizers.Adam(schedule))
    return model


def measure(work: Work, model: kv.VAE, x: np.ndarray) -> dict[str, Any]:
    found = inference_gaps(model, x, work["num_samples"], max_steps=work["max_steps"], seed=work["seed"])
    print(found)
    return {
        "log_likelihood": found.log_likelihood.per_example.tolist(),
        "approximation": found.approximation.tolist(),
        "amortisation": found.amortisation.tolist(),
        "sum": found.total.tolist(),
        "steps": found.steps,
        "warnings": list(found.warnings()),
    }


def over_digits(found: dict[str, Any]) -> dict[str, Any]:
    """Return each figure's mean and standard error over digits; what is none of a digit stays."""
    means = {
        name: mean_and_error(np.array(f)) for name, f in found.items() if isinstance(f, list) and name != "warnings"
    }
    return {**found, **means, "nll": -means["log_likelihood"]["mean"]}


def main() -> None:
    with begin(__file__, __doc__) as work:
        train, test = work.examples
        epochs, steps = work["epochs"], work["epochs"] * -(-len(train) // work["batch_size"])
        models = {name: work.train(name, partial(build, work, name, steps), train, epochs) for name in POSTERIORS}
        figures: dict[str, Any] = {}
        for part, examples in (("training", train), ("test", test)):
            # Binarised once for both models.
            data = kv.data.load(examples, "test", batch_size=work["digits"], seed=work["seed"])
            x = next(data.as_numpy_iterator())
            found = {
                name: work.piece(f"{name}, gaps, {part} digits", partial(measure, work, models[name], x))
                for name in POSTERIORS
            }
            gain = np.subtract(*(found[name]["approximation"] for name in POSTERIORS))
            figures |= {f"{name}_{part}": over_digits(found[name]) for name in POSTERIORS}
            figures[f"smaller_by_{part}"] = mean_and_error(gain)
        work.finish(figures)


if __name__ == "__main__":
    main()
