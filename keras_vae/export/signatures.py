"""The served signatures: what a SavedModel of a VAE answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

Tensors = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Signature:
    """One endpoint: its named inputs, each with an unknown leading batch dimension, and its function."""

    inputs: tuple[tf.TensorSpec, ...]
    function: Callable[..., Tensors]


def signatures(model: Any, score_samples: int) -> dict[str, Signature]:
    """Return the endpoints by name; the first becomes `serving_default`.

    Row i of each answer depends on row i of the request alone.

    Args:
        model: A `keras_vae.VAE`.
        score_samples: Importance samples behind `score`.
    """
    x = tf.TensorSpec([None, *model.event_shape], tf.float32, name="x")
    z = tf.TensorSpec([None, *model.latent_shape], tf.float32, name="z")
    seed = tf.TensorSpec([None], tf.int64, name="seed")
    return {
        "generate": Signature((seed,), lambda seed: model.generate(seed)),
        "encode": Signature((x,), lambda x: model.encode(x)),
        "decode": Signature((z,), lambda z: _per_row(model.decode(z), tf.shape(z)[0])),
        "reconstruct": Signature((x,), lambda x: {"mean": model.reconstruct(x)}),
        "score": Signature((x, seed), lambda x, seed: {"log_likelihood_bound": model.score(x, seed, score_samples)}),
    }


def example_requests(model: Any, batch: int) -> dict[str, Tensors]:
    """Return an ordinary request of `batch` rows for each signature, x drawn from the model itself."""
    seed = tf.range(batch, dtype=tf.int64)
    z = model.generate(seed)["z"]
    x = tf.cast(model.likelihood(z).sample(seed=tf.constant([0, batch], tf.int32)), tf.float32)
    z = tf.cast(z, tf.float32)
    return {
        "generate": {"seed": seed},
        "encode": {"x": x},
        "decode": {"z": z},
        "reconstruct": {"x": x},
        "score": {"x": x, "seed": seed},
    }


def _per_row(outputs: Tensors, batch: tf.Tensor) -> Tensors:
    """Give each output the batch's leading dimension, as server-side batching needs."""
    return {
        name: tf.broadcast_to(value, tf.concat([[batch], tf.shape(value)[1:]], 0)) for name, value in outputs.items()
    }
