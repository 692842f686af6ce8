"""A plain Keras model and a VAE, so that the same is done to both: a VAE is a well-behaved Keras model."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_vae as kv

KINDS = ("plain", "vae")
# 20 rows, two batches of 10.
X = (np.random.default_rng(0).random([20, 6]) < 0.4).astype(np.float32)
FIT: dict[str, Any] = {"batch_size": 10, "shuffle": False, "verbose": 0}


@keras.saving.register_keras_serializable("keras_pairs")
class PlainVAE(keras.Model):
    """A variational autoencoder as a Keras user writes it by hand: its loss comes from `add_loss`."""

    def __init__(self, encoder=None, decoder=None, **kwargs):
        super().__init__(**kwargs)
        self.encoder = keras.layers.Dense(4, name="encoder") if encoder is None else encoder
        self.decoder = keras.layers.Dense(6, name="decoder") if decoder is None else decoder
        self.noise = keras.random.SeedGenerator(5)

    def build(self, input_shape):
        for layer, size in ((self.encoder, 6), (self.decoder, 2)):
            if not layer.built:
                layer.build((None, size))
        self.built = True

    def call(self, x, training=None):
        loc, log_scale = tf.split(self.encoder(x, training=training), 2, axis=-1)
        z = loc + tf.exp(log_scale) * keras.random.normal(tf.shape(loc), seed=self.noise)
        logits = self.decoder(z, training=training)
        kl = tf.reduce_sum(0.5 * (loc**2 + tf.exp(2 * log_scale) - 1) - log_scale, axis=-1)
        misfit = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(x, logits.dtype), logits), axis=-1)
        self.add_loss(tf.reduce_mean(kl + misfit))
        return tf.sigmoid(logits)


@keras.saving.register_keras_serializable("keras_pairs")
class SmallVAE(kv.VAE):
    """A registered subclass of `keras_vae.VAE`."""


BASES = {"plain": PlainVAE, "vae": SmallVAE}


def build(kind: str, base: type | None = None, encoder: Any = None, seed: int | None = 5) -> keras.Model:
    """Return a built model that is not compiled.

    Args:
        kind: One of `KINDS`.
        base: A subclass of `BASES[kind]`.
        encoder: Returns the layer of a plain model, or the network of a VAE.
        seed: Of a VAE's noise.
    """
    base = BASES[kind] if base is None else base
    if kind == "plain":
        model = base(None if encoder is None else encoder())
        model.build((None, 6))
        return model
    return base(
        kv.Encoder(kv.networks.MLP() if encoder is None else encoder(), kv.families.Normal(2)),
        kv.Decoder(kv.networks.MLP(), kv.families.Bernoulli(6)),
        seed=seed,
    )


def make(kind: str, base: type | None = None, encoder: Any = None, **compiled: Any) -> keras.Model:
    """Return a compiled model: it runs eagerly, which is cheaper for a few steps, unless `compiled` says otherwise."""
    keras.utils.set_random_seed(1)
    model = build(kind, base, encoder)
    model.compile(**{"optimizer": keras.optimizers.SGD(0.1), "run_eagerly": True, **compiled})
    return model


def flat(weights: Any) -> np.ndarray:
    """Return weights as one vector."""
    return np.concatenate([np.ravel(weight) for weight in weights])


def moved(model: keras.Model, part: Any, **arguments: Any) -> float:
    """Return how far `fit` moves the trainable weights of a part of the model."""
    before = part.get_weights()
    model.fit(X, **{**FIT, **arguments})
    return float(np.abs(flat(part.get_weights()) - flat(before)).max())
