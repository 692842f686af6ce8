"""The variance of path gradients and its effect on training: Roeder, Wu & Duvenaud (2017); Tucker et al. (2019).

We measure the encoder's gradient on one batch of 100 digits over many draws of the noise: its variance, summed over
all weights of the encoder, and its signal-to-noise ratio |mean|/standard deviation, averaged over the weights. The
model is 784-200-200-50, tanh, trained with the ELBO on dynamically binarized MNIST, and is measured after the first
and the last epoch. The exactly known problem of benchmarks/estimators.py gives the variance at the exact posterior.
Finally, we compare −log p(x) of models trained with each estimator for the same number of epochs.

    python benchmarks/reproduce/gradient_variance.py      # about 20 minutes on two cores
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from common import Work, begin, mean_and_error
from estimators import normal
from tanh_net import tanh_net

import keras_vae as kv
from keras_vae.objectives import ELBO, IWAE, Objective
from keras_vae.utils import seeds

TRAINED: dict[str, Callable[[], Objective]] = {
    "elbo": ELBO,
    "sticking_the_landing": lambda: ELBO(estimator="sticking_the_landing"),
    "iwae": lambda: IWAE(5),
    "dreg": lambda: IWAE(5, estimator="doubly_reparameterized"),
}
MEASURED: dict[str, Callable[[], Objective]] = {
    "ELBO, closed-form KL": ELBO,
    "ELBO, sampled KL": lambda: IWAE(1),
    "ELBO, sticking the landing": TRAINED["sticking_the_landing"],
    **{
        f"IWAE ({k}), {name.replace('_', ' ')}": partial(IWAE, k, name)
        for k in (5, 50)
        for name in ("reparameterized", "doubly_reparameterized")
    },
}


def build(work: Work, objective: Callable[[], Objective]) -> kv.VAE:
    model = tanh_net(work, objective=objective())
    model.compile(optimizer=keras.optimizers.Adam(work["learning_rate"]))
    return model


def spread(model: kv.VAE, objective: Objective, x: np.ndarray, draws: int) -> dict[str, float]:
    """Return the variance and the signal-to-noise ratio of the encoder's gradient."""
    variables = model.encoder.trainable_variables

    @tf.function
    def gradient(draw: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(objective(model, x, seeds.fold(0, seeds.TRAIN, draw), training=True)["loss"])
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(loss, variables)], 0)

    total = square = np.zeros(sum(int(np.prod(v.shape)) for v in variables))
    for draw in range(draws):
        found = gradient(tf.constant(draw)).numpy().astype(np.float64)
        total, square = total + found, square + found**2
    mean = total / draws
    variance = (square / draws - mean**2) * draws / (draws - 1)
    moving = variance > 0  # excludes weights of pixels that are black in the whole batch
    return {
        "variance": float(variance.sum()),
        "signal_to_noise": float(np.mean(np.abs(mean[moving]) / np.sqrt(variance[moving]))),
    }


def exact_posterior() -> dict[str, float]:
    return {name: row["variance"] for name, row in normal(0.0).items()}


def main() -> None:
    with begin(__file__, __doc__) as work:
        train, test = work.examples
        data = kv.data.load(test, "test", batch_size=100, seed=work["seed"])
        x = next(kv.data.load(train, "train", shuffle=False, seed=work["seed"]).as_numpy_iterator())
        final: dict[str, np.ndarray] = {}
        figures: dict[str, Any] = {"at_the_exact_posterior": work.piece("exact posterior", exact_posterior)}
        last = work["epochs"]
        for name, objective in TRAINED.items():
            model = work.train(name, partial(build, work, objective), train, last, keep=(1, last))
            final[name] = work.log_likelihood(name, model, data, work["num_samples"])
        for epoch in (1, last):
            model = work.kept("elbo", epoch)
            for name, objective in MEASURED.items():
                measure = partial(spread, model, objective(), x, work["draws"])
                when = "after_one_epoch" if epoch == 1 else "after_all_epochs"
                figures.setdefault(when, {})[name] = work.piece(f"{name}, {when}", measure)
        work.finish(
            {
                **figures,
                "nll": {name: mean_and_error(-values) for name, values in final.items()},
                "gain": {
                    "sticking_the_landing": mean_and_error(final["sticking_the_landing"] - final["elbo"]),
                    "dreg": mean_and_error(final["dreg"] - final["iwae"]),
                },
            }
        )


if __name__ == "__main__":
    main()
