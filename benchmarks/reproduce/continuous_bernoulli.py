"""Continuous Bernoulli against Bernoulli on gray MNIST: Loaiza-Ganem & Cunningham (2019).

Two VAEs, 784-500-500-20, are trained on (x + u)/256: one with the continuous Bernoulli likelihood, and one with the
Bernoulli formula, which lacks the normalizer that would make it a density on [0, 1]. The second model is scored in
three ways, all with the normalizer: with λ unchanged; with the λ whose mean is exactly the mean that the model
predicts; and with the same λ found by interpolation, as in the authors' published code, linearly between 100 values
of λ, the first segment of which spans means from 0 to 0.21. λ is kept within [1e-4, 1 − 1e-4]. The authors' code also
applies dropout of 0.1 to the hidden units, so we train with and without dropout.

    python benchmarks/reproduce/continuous_bernoulli.py      # about 20 minutes on two cores
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from common import Work, begin
from tensorflow_probability import distributions as tfd

import keras_vae as kv
from keras_vae.evaluation.latents.representation import representation
from keras_vae.families.bernoulli import LogitsBernoulli
from keras_vae.families.continuous_bernoulli import MAX_LOGIT

# Bisection steps; 18/2⁴⁰ is below the resolution of float32.
HALVINGS = 40
VALIDATION = (
    "not used; fixed number of epochs, no early stopping. Dropout follows the authors' code and was added after a run "
    "without it; both are shown"
)


@keras.saving.register_keras_serializable("reproduce")
class UnnormalizedBernoulli(kv.families.ContinuousBernoulli):
    """x log λ + (1 − x) log(1 − λ) for gray x: the Bernoulli formula, which is not a density here."""

    def distribution(self, parameters: dict[str, tf.Tensor]) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        return self.independent(LogitsBernoulli(parameters["logits"], self.variable_dtype))


class ExactInverse(kv.families.ContinuousBernoulli):
    """The continuous Bernoulli with mean sigmoid(logits), as closely as the bounds on λ allow."""

    def distribution(self, parameters: dict[str, tf.Tensor]) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        mean = tf.sigmoid(parameters["logits"])
        low, high = -MAX_LOGIT * tf.ones_like(mean), MAX_LOGIT * tf.ones_like(mean)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below = tfd.ContinuousBernoulli(logits=middle).mean() < mean
            low, high = tf.where(below, middle, low), tf.where(below, high, middle)
        return self.independent(tfd.ContinuousBernoulli(logits=(low + high) / 2))


class InterpolatedInverse(kv.families.ContinuousBernoulli):
    """As above, by linear interpolation between 100 equally spaced λ in [0, 1.0001], as in the authors' code."""

    def distribution(self, parameters: dict[str, tf.Tensor]) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        knots = np.linspace(0.0, 1.0001, 100)
        inside = knots[1:-1]
        means = np.concatenate([[0.0], inside / (2 * inside - 1) + 0.5 / np.arctanh(1 - 2 * inside), knots[-1:]])
        mean = tf.sigmoid(parameters["logits"])
        segment = tf.searchsorted(tf.constant(means, mean.dtype), tf.reshape(mean, [-1]), side="right") - 1
        left, lam, slope = (
            tf.reshape(tf.gather(tf.constant(values, mean.dtype), segment), tf.shape(mean))
            for values in (means[:-1], knots[:-1], np.diff(knots) / np.diff(means))
        )
        lam = tf.clip_by_value(lam + slope * (mean - left), 1e-4, 1 - 1e-4)
        return self.independent(tfd.ContinuousBernoulli(logits=tf.math.log(lam) - tf.math.log1p(-lam)))


TRAINED: dict[str, type[kv.families.Family]] = {
    "continuous_bernoulli": kv.families.ContinuousBernoulli,
    "bernoulli": UnnormalizedBernoulli,
}
SCORES: dict[str, dict[str, type[kv.families.Family]]] = {
    "continuous_bernoulli": {"continuous_bernoulli": kv.families.ContinuousBernoulli},
    "bernoulli": {
        "bernoulli_normalized": kv.families.ContinuousBernoulli,
        "bernoulli_exact_inverse": ExactInverse,
        "bernoulli_interpolated_inverse": InterpolatedInverse,
    },
}


def network(units: Sequence[int], dropout: float) -> keras.Model:
    if not dropout:
        return kv.networks.MLP(units)
    layers: list[keras.layers.Layer] = [keras.layers.Flatten()]
    for width in units:
        layers += [keras.layers.Dense(width, activation="relu"), keras.layers.Dropout(dropout)]
    return keras.Sequential(layers)


def build(work: Work, family: type[kv.families.Family], dropout: float) -> kv.VAE:
    hidden = work["hidden"]
    model = kv.VAE(
        encoder=kv.Encoder(network(hidden, dropout), kv.families.Normal(work["latents"])),
        decoder=kv.Decoder(network(hidden[::-1], dropout), family((28, 28, 1))),
        seed=work["seed"],
    )
    model.compile(optimizer=keras.optimizers.Adam(work["learning_rate"]))
    return model


def bound(model: kv.VAE, data: Any) -> float:
    return model.evaluate(data, verbose=0, return_dict=True)["bound"]


def rescored(work: Work, model: kv.VAE, family: type[kv.families.Family], dropout: float) -> kv.VAE:
    """Return a model with the same weights and another likelihood."""
    other = build(work, family, dropout)
    other.set_weights(model.get_weights())
    return other


def measure(work: Work, dropout: float) -> dict[str, dict[str, float]]:
    train, test = work.examples
    settings = {"likelihood": "continuous_bernoulli", "batch_size": work["batch_size"], "seed": work["seed"]}
    images = kv.data.load(test, "test", **settings)
    with_labels = {**settings, "with_labels": True, "shuffle": False}
    labeled = [kv.data.load(*part, **with_labels) for part in ((train, "train"), (test, "test"))]
    elbo: dict[str, float] = {}
    accuracy: dict[str, float] = {}
    for trained, family in TRAINED.items():
        name = f"{trained}, dropout {dropout}" if dropout else trained
        model = work.train(
            name, partial(build, work, family, dropout), train, work["epochs"], likelihood="continuous_bernoulli"
        )
        for score, likelihood in SCORES[trained].items():
            other = rescored(work, model, likelihood, dropout)
            elbo[score] = work.piece(name.replace(trained, f"{score}, bound", 1), partial(bound, other, images))
        neighbors = partial(representation, model, labeled[0], test=labeled[1], neighbors=work["neighbors"])
        accuracy[trained] = work.piece(f"{name}, neighbors", lambda measure=neighbors: measure().knn_accuracy)
    return {"elbo": elbo, "knn_accuracy": accuracy}


def main() -> None:
    with begin(__file__, __doc__) as work:
        work.finish({"dropout": measure(work, work["dropout"]), "no_dropout": measure(work, 0.0)}, VALIDATION)


if __name__ == "__main__":
    main()
