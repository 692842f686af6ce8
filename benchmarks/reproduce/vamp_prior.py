"""The VampPrior against the standard normal prior at equal epochs: Tomczak & Welling (2018), one stochastic layer.

As in the paper: gated layers of 300 and 300 units, 40 latents, 500 pseudo-inputs, Adam, batch size 100, and a KL weight
that rises from 0 to 1 over the first epochs. Unlike the paper: pseudo-inputs are initialized to training digits, only
dynamic binarization is used, and the number of epochs is fixed, with no early stopping. Differences are paired over the
same test digits.

    python benchmarks/reproduce/vamp_prior.py      # about 90 minutes on two cores
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from common import Work, begin, mean_and_error

import keras_vae as kv


@keras.saving.register_keras_serializable("reproduce")
class GatedMLP(keras.Model):
    """Dense layers, each multiplied by a sigmoid layer of the same input: Dauphin et al. (2017), as in the paper.

    Args:
        units: Width of each layer.
    """

    def __init__(self, units: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = [int(u) for u in units]
        self.flatten = keras.layers.Flatten()
        self.values = [keras.layers.Dense(u) for u in self.units]
        self.gates = [keras.layers.Dense(u, activation="sigmoid") for u in self.units]

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Apply the layers in order."""
        features = self.flatten(inputs)
        for value, gate in zip(self.values, self.gates, strict=True):
            features = value(features) * gate(features)
        return features

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units}


def build(work: Work, vamp: bool) -> kv.VAE:
    train, _ = work.examples
    posterior = kv.families.Normal(work["latents"])
    prior = kv.priors.StandardNormal(work["latents"])
    if vamp:
        chosen = np.random.default_rng(work["seed"]).choice(len(train), work["pseudo_inputs"], replace=False)
        initial = train.images[np.sort(chosen)] / np.float32(255)
        prior = kv.priors.VampPrior(posterior, (28, 28, 1), work["pseudo_inputs"], initial=initial)
    steps = -(-len(train) // work["batch_size"])
    warm_up = kv.schedules.Linear(0.0, 1.0, steps=steps * work["warm_up_epochs"])
    hidden = work["hidden"]
    model = kv.VAE(
        encoder=kv.Encoder(GatedMLP(hidden), posterior),
        decoder=kv.Decoder(GatedMLP(hidden[::-1]), kv.families.Bernoulli((28, 28, 1))),
        prior=prior,
        objective=kv.objectives.ELBO(beta=warm_up),
        seed=work["seed"],
    )
    model.compile(optimizer=keras.optimizers.Adam(work["learning_rate"]))
    return model


def main() -> None:
    with begin(__file__, __doc__) as work:
        train, test = work.examples
        data = kv.data.load(test, "test", batch_size=100, seed=work["seed"])
        found = {}
        for name in ("standard", "vamp"):
            model = work.train(name, partial(build, work, name == "vamp"), train, work["epochs"])
            found[name] = work.log_likelihood(name, model, data, work["num_samples"])
        figures: dict[str, Any] = {name: mean_and_error(-values) for name, values in found.items()}
        work.finish({**figures, "gain": mean_and_error(found["vamp"] - found["standard"])})


if __name__ == "__main__":
    main()
