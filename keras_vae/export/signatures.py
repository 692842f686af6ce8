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
    given: tuple[tf.TensorSpec, ...] = ()
    if model.condition is not None:
        given = (tf.TensorSpec([None, *model.condition.shape], model.condition.dtype, name="condition"),)
    return {
        "generate": Signature((seed, *given), lambda seed, condition=None: model.generate(seed, condition)),
        "encode": Signature((x, *given), lambda x, condition=None: model.encode(x, condition)),
        "decode": Signature(
            (z, *given), lambda z, condition=None: _per_row(model.decode(z, condition), tf.shape(z)[0])
        ),
        "reconstruct": Signature((x, *given), lambda x, condition=None: {"mean": model.reconstruct(x, condition)}),
        "score": Signature(
            (x, seed, *given),
            lambda x, seed, condition=None: {"log_likelihood_bound": model.score(x, seed, score_samples, condition)},
        ),
    }


def example_requests(model: Any, batch: int) -> dict[str, Tensors]:
    """Return an ordinary request of `batch` rows for each signature, x drawn from the model itself."""
    seed = tf.range(batch, dtype=tf.int64)
    y = None if model.condition is None else tf.zeros([batch, *model.condition.shape], model.condition.dtype)
    z = model.generate(seed, y)["z"]
    x = model.likelihood(z, condition=y).sample(seed=tf.constant([0, batch], tf.int32))
    # Samples may round to values outside the support, such as 0 and 1.
    x, z = model.observed_family.support.clip(tf.cast(x, tf.float32)), tf.cast(z, tf.float32)
    given = {} if y is None else {"condition": y}
    return {
        "generate": {"seed": seed, **given},
        "encode": {"x": x, **given},
        "decode": {"z": z, **given},
        "reconstruct": {"x": x, **given},
        "score": {"x": x, "seed": seed, **given},
    }


def _per_row(outputs: Tensors, batch: tf.Tensor) -> Tensors:
    """Give each output the batch's leading dimension, as server-side batching needs."""
    return {
        name: tf.broadcast_to(value, tf.concat([[batch], tf.shape(value)[1:]], 0)) for name, value in outputs.items()
    }
