"""A VAE conditioned on the class against an unconditional one after the same epochs: Sohn, Lee & Yan (2015), on MNIST.

Both use 784-400-400-20, as does benchmarks/ready_made.py, which compares all ready-made models. log p(x|y) and log p(x)
are compared pairwise on the same test digits.

    python benchmarks/reproduce/conditional.py      # about 10 minutes on two cores
"""

from functools import partial

import keras
import numpy as np
from common import Work, begin, mean_and_error

import keras_vae as kv


def build(work: Work, name: str) -> kv.VAE:
    classes = 10 if kv.models.READY_MADE[name].conditional else None
    model = kv.models.make(
        name, (28, 28, 1), latent_size=work["latents"], hidden=work["hidden"], classes=classes, seed=work["seed"]
    )
    model.compile(optimizer=keras.optimizers.Adam(work["learning_rate"]))
    return model


def main() -> None:
    with begin(__file__, __doc__) as work:
        train, test = work.examples
        found = {}
        for name in ("vae", "cvae"):
            labels = {"with_labels": name == "cvae"}
            data = kv.data.load(test, "test", batch_size=100, seed=work["seed"], **labels)
            model = work.train(name, partial(build, work, name), train, work["epochs"], **labels)
            found[name] = work.log_likelihood(name, model, data, work["num_samples"])
        figures = {
            "unconditional": mean_and_error(-found["vae"]),
            "conditional": mean_and_error(-found["cvae"]),
            "gain": mean_and_error(found["cvae"] - found["vae"]),
            # With p(y) = 1/10: the cost of encoding the digit and its class.
            "joint": mean_and_error(np.log(10.0) - found["cvae"]),
            "joint_gain": mean_and_error(found["cvae"] - np.log(10.0) - found["vae"]),
        }
        work.finish(figures)


if __name__ == "__main__":
    main()
