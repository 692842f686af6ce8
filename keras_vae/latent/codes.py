"""Encoding and decoding for all latent tools, with checks: arrays in, NumPy arrays out."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

# Rows per call of a network: the feature maps of convolutions are far larger than images.
_ROWS = 1024


class LatentModel(Protocol):
    """What the tools need from a model such as `keras_vae.VAE`."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Return the shape of one x."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Return the shape of one z."""

    @property
    def encoder(self) -> Any:
        """Return q(z|x), whose family knows the support of the latents."""

    @property
    def condition(self) -> Any:
        """Return the condition, or None."""

    def encode(self, x: Any, condition: Any = None) -> Any:
        """Return the posterior's `mean`, `[batch, *latent]`."""

    def decode(self, z: Any, condition: Any = None) -> Any:
        """Return the likelihood's `mean`, `[batch, *event]`."""


class Decoded(NamedTuple):
    """Latents and their decoded images.

    Attributes:
        images: Means of the likelihood, `[..., *event]`.
        z: The latents, `[..., latents]`.
    """

    images: np.ndarray
    z: np.ndarray


def latent_size(model: LatentModel, owner: str) -> int:
    """Return the number of latents of the model.

    Raises:
        ValueError: If the latent is not a vector.
    """
    if len(model.latent_shape) != 1:
        raise ValueError(
            f"{owner}: the latent is not a vector: expected shape (latents,), such as that of "
            f"keras_vae.families.Normal(20), received {model.latent_shape}"
        )
    return model.latent_shape[0]


def one_example(model: LatentModel, x: Any, owner: str) -> np.ndarray:
    """Read one x, `[*event]`, as a batch, `[1, *event]`.

    Raises:
        ValueError: If it has another shape.
    """
    x = np.asarray(x)
    if x.shape != model.event_shape:
        hint = ". Pass one example of the batch, x[0]" if x.shape[1:] == model.event_shape else ""
        raise ValueError(
            f"{owner}: x has the wrong shape: expected one example, {model.event_shape}, received {x.shape}{hint}"
        )
    return x[None]


def means(model: LatentModel, x: Any, condition: Any, owner: str) -> Any:
    """Return the posteriors' means, `[n, *latent]`, bare or by group, of x `[n, *event]`.

    Args:
        model: The model.
        x: `[n, *event]`.
        condition: One for all rows, or one per row; None for a model without.
        owner: The name in errors.

    Raises:
        ValueError: If there is no x, or x or the condition has the wrong shape.
    """
    x = np.asarray(x)
    if x.shape[1:] != model.event_shape or len(x) == 0:
        hint = ". Add the batch axis, x[None]" if x.shape == model.event_shape else ""
        raise ValueError(
            f"{owner}: x has the wrong shape: expected at least one example, {('n', *model.event_shape)}, received "
            f"{x.shape}{hint}"
        )
    return _mapped(model.encode, x, for_rows(model, condition, len(x), owner))


def decode(model: LatentModel, z: np.ndarray, condition: Any, owner: str) -> Decoded:
    """Decode latents with any number of leading axes, `[rows, ..., latents]`.

    Args:
        model: The model.
        z: `[rows, ..., latents]`.
        condition: One for all, or one for each of the `rows`; None for a model without.
        owner: The name in errors.
    """
    flat = z.reshape(-1, z.shape[-1])
    condition = for_rows(model, condition, len(z), owner)
    if condition is not None:
        condition = np.repeat(condition, len(flat) // len(z), axis=0)
    images = _mapped(model.decode, flat, condition)
    return Decoded(images.reshape(*z.shape[:-1], *images.shape[1:]), z)


def for_rows(model: LatentModel, condition: Any, rows: int, owner: str) -> np.ndarray | None:
    """Return one condition per row, `[rows, ...]`, from one for all rows or one per row.

    Raises:
        ValueError: If there are neither one nor `rows` conditions, one does not fit the model, or only one of model and
            caller has a condition.
    """
    if model.condition is None:
        if condition is None:
            return None
        raise ValueError(f"{owner}: the model has no condition: expected condition=None, received one")
    try:
        return model.condition.rows(condition, rows)
    except ValueError as error:
        raise ValueError(f"{owner}: {error}") from None


def check_values(model: LatentModel, values: np.ndarray, owner: str) -> None:
    """Check that latents are in the support of the posterior.

    Raises:
        ValueError: If one is not.
    """
    support = model.encoder.family.support
    inside = np.asarray(support.contains(np.asarray(values, np.float32)))
    if not np.all(inside):
        raise ValueError(
            f"{owner}: a value is outside the support of the {support.name} latents of "
            f"{type(model.encoder.family).__name__}: expected {support.expected}, received "
            f"{np.asarray(values)[~inside].ravel()[0]}"
        )


def check_real(model: LatentModel, owner: str) -> None:
    """Check that the latents of a model are real.

    Raises:
        ValueError: If they are bounded or discrete.
    """
    family = model.encoder.family
    if not family.support.real:
        raise ValueError(
            f"{owner}: the latents are not real: expected real latents, such as those of Normal, received the "
            f"{family.support.name} ones of {type(family).__name__}. Use keras_vae.latent.traverse"
        )


def for_all(condition: Any, owner: str) -> np.ndarray | None:
    """Return the condition of a tool that has a single image, `[1, ...]`.

    Raises:
        ValueError: If there are several.
    """
    if condition is None:
        return None
    given = np.asarray(condition)
    if given.ndim > 1:
        raise ValueError(
            f"{owner}: condition has the wrong shape: expected one label or one vector, received {given.shape}"
        )
    return given[None]


def _mapped(network: Any, inputs: Any, condition: np.ndarray | None) -> Any:
    """Return the `mean` of the network for all rows; inputs and mean are bare or by group."""
    found = []
    for start in range(0, len(tf.nest.flatten(inputs)[0]), _ROWS):
        part = slice(start, start + _ROWS)
        given = {} if condition is None else {"condition": condition[part]}
        some = tf.nest.map_structure(lambda values, part=part: values[part], inputs)
        found.append(tf.nest.map_structure(np.asarray, network(some, **given)["mean"]))
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *found)
