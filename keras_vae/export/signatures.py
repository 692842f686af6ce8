"""The signatures of an exported VAE."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from keras_vae.export.shape_checks import with_checked_shapes

Tensors = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Signature:
    """A function and its named inputs, each with an unknown batch dimension."""

    inputs: tuple[tf.TensorSpec, ...]
    function: Callable[..., Tensors]


def signatures(model: Any, score_samples: int) -> dict[str, Signature]:
    """Return the signatures by name; the first becomes `serving_default`.

    Row i of each response depends only on row i of the request. With several groups of latents, there is one tensor z
    per group, named `z/<group>`; likewise the means and scales of `encode`.

    Args:
        model: A `keras_vae.VAE`.
        score_samples: Number of importance samples of `score`.
    """
    groups = model.latents
    x = tf.TensorSpec([None, *model.event_shape], tf.float32, name="x")
    seed = tf.TensorSpec([None], tf.int64, name="seed")
    z = by_group({name: tf.TensorSpec([None, *shape], tf.float32) for name, shape in groups.shapes.items()}, "z", model)
    z_inputs = tuple(tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in z.items())
    given: tuple[tf.TensorSpec, ...] = ()
    if model.condition is not None:
        given = (tf.TensorSpec([None, *model.condition.shape], model.condition.dtype, name="condition"),)

    def generate(seed: tf.Tensor, *condition: tf.Tensor) -> Tensors:
        found = model.generate(seed, condition=_only(condition))
        return {"mean": found["mean"], **by_group(found["z"], "z", model)}

    def draw(seed: tf.Tensor, *condition: tf.Tensor) -> Tensors:
        found = model.generate(seed, condition=_only(condition), draws=True)
        return {"draw": found["draw"], "mean": found["mean"], **by_group(found["z"], "z", model)}

    def encode(x: tf.Tensor, *condition: tf.Tensor) -> Tensors:
        found = model.encode(x, condition=_only(condition))
        return {**by_group(found["mean"], "mean", model), **by_group(found["scale"], "scale", model)}

    def decode(*inputs: tf.Tensor) -> Tensors:
        latents = dict(zip(groups.names, inputs[: len(z)], strict=True))
        found = model.decode(groups.pack(latents), condition=_only(inputs[len(z) :]))
        return _per_row(found, tf.shape(inputs[0])[0])

    def reconstruct(x: tf.Tensor, *condition: tf.Tensor) -> Tensors:
        return {"mean": model.reconstruct(x, condition=_only(condition))}

    def score(x: tf.Tensor, seed: tf.Tensor, *condition: tf.Tensor) -> Tensors:
        bound = model.score(x, seeds=seed, num_samples=score_samples, condition=_only(condition))
        return {"log_likelihood_bound": bound}

    found = {
        "generate": ((seed, *given), generate),
        "draw": ((seed, *given), draw),
        "encode": ((x, *given), encode),
        "decode": ((*z_inputs, *given), decode),
        "reconstruct": ((x, *given), reconstruct),
        "score": ((x, seed, *given), score),
    }
    return {
        name: Signature(inputs, with_checked_shapes(function, inputs)) for name, (inputs, function) in found.items()
    }


def by_group(values: Any, name: str, model: Any) -> dict[str, Any]:
    """Return values by output name: `<name>/<group>`, or `name` for one group of latents."""
    if not model.latents.several:
        return {name: next(iter(values.values())) if isinstance(values, dict) else values}
    return {f"{name}/{group}": values[group] for group in model.latents.names}


def example_requests(model: Any, batch: int) -> dict[str, Tensors]:
    """Return an example request of `batch` rows per signature, with x sampled from the model."""
    seed = tf.range(batch, dtype=tf.int64)
    y = None if model.condition is None else tf.zeros([batch, *model.condition.shape], model.condition.dtype)
    z = model.generate(seed, condition=y)["z"]
    x = model.likelihood(z, condition=y).sample(seed=tf.constant([0, batch], tf.int32))
    # Rounding can move samples out of the support, such as to 0 or 1.
    x = model.observed_family.support.clip(tf.cast(x, tf.float32))
    given = {} if y is None else {"condition": y}
    latents = {name: tf.cast(value, tf.float32) for name, value in by_group(z, "z", model).items()}
    return {
        "generate": {"seed": seed, **given},
        "draw": {"seed": seed, **given},
        "encode": {"x": x, **given},
        "decode": {**latents, **given},
        "reconstruct": {"x": x, **given},
        "score": {"x": x, "seed": seed, **given},
    }


def _only(condition: tuple[tf.Tensor, ...]) -> tf.Tensor | None:
    return condition[0] if condition else None


def _per_row(outputs: Tensors, batch: tf.Tensor) -> Tensors:
    """Broadcast each output to the batch dimension, which server-side batching requires."""
    return {
        name: tf.broadcast_to(value, tf.concat([[batch], tf.shape(value)[1:]], 0)) for name, value in outputs.items()
    }
