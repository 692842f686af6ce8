"""From images to latents and back, as all tools need it: arrays in, NumPy arrays out."""

from typing import Any, NamedTuple, Protocol

import numpy as np

# Rows that go through a network at once: convolutions' inner maps are far larger than images.
_ROWS = 1024


class LatentModel(Protocol):
    """What the tools ask of a model, such as `keras_vae.VAE`."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Return the shape of one x."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Return the shape of one z."""

    @property
    def encoder(self) -> Any:
        """Return q(z|x), whose family knows what latents may be."""

    @property
    def condition(self) -> Any:
        """Return what y may be, or None."""

    def encode(self, x: Any, condition: Any = None) -> Any:
        """Return the posterior's `mean`, `[batch, *latent]`."""

    def decode(self, z: Any, condition: Any = None) -> Any:
        """Return the likelihood's `mean`, `[batch, *event]`."""


class Decoded(NamedTuple):
    """Latents and what the model makes of them.

    Attributes:
        images: The likelihood's means, `[..., *event]`.
        z: The latents they come from, `[..., latents]`.
    """

    images: np.ndarray
    z: np.ndarray


def latent_size(model: LatentModel, owner: str) -> int:
    """Return how many latents the model has.

    Raises:
        ValueError: If a latent is no vector.
    """
    if len(model.latent_shape) != 1:
        raise ValueError(
            f"{owner}: the model's latent has shape {model.latent_shape}; wanted a vector of latents, such as "
            "that of keras_vae.families.Normal(20)"
        )
    return model.latent_shape[0]


def one_example(model: LatentModel, x: Any, owner: str) -> np.ndarray:
    """Read one x, `[*event]`, as a batch, `[1, *event]`.

    Raises:
        ValueError: If it has another shape.
    """
    x = np.asarray(x)
    if x.shape != model.event_shape:
        hint = ". Take one of the batch: x[0]" if x.shape[1:] == model.event_shape else ""
        raise ValueError(f"{owner}: wanted one example, shape {model.event_shape}; received shape {x.shape}{hint}")
    return x[None]


def means(model: LatentModel, x: Any, condition: Any, owner: str) -> np.ndarray:
    """Return the posteriors' means, `[n, *latent]`, of x `[n, *event]`.

    Args:
        model: The model.
        x: `[n, *event]`.
        condition: One for all rows, or one for each; None for a model without.
        owner: Who asks, for error messages.

    Raises:
        ValueError: If there is no x, or x or the condition has the wrong shape.
    """
    x = np.asarray(x)
    if x.shape[1:] != model.event_shape or len(x) == 0:
        hint = ". Add the batch axis: x[None]" if x.shape == model.event_shape else ""
        raise ValueError(
            f"{owner}: wanted at least one example, shape {('n', *model.event_shape)}; received shape {x.shape}{hint}"
        )
    return _mapped(model.encode, x, for_rows(model, condition, len(x), owner))


def decode(model: LatentModel, z: np.ndarray, condition: Any, owner: str) -> Decoded:
    """Decode latents with any number of leading axes, `[rows, ..., latents]`.

    Args:
        model: The model.
        z: `[rows, ..., latents]`.
        condition: One for all, or one for each of the `rows`; None for a model without.
        owner: Who asks, for error messages.
    """
    flat = z.reshape(-1, z.shape[-1])
    condition = for_rows(model, condition, len(z), owner)
    if condition is not None:
        condition = np.repeat(condition, len(flat) // len(z), axis=0)
    images = _mapped(model.decode, flat, condition)
    return Decoded(images.reshape(*z.shape[:-1], *images.shape[1:]), z)


def for_rows(model: LatentModel, condition: Any, rows: int, owner: str) -> np.ndarray | None:
    """Read one condition for all rows, or one for each, as one for each, `[rows, ...]`.

    Raises:
        ValueError: If there are neither one nor `rows` conditions, one is none of the model's, or the model has a
            condition and there is none, or the other way round.
    """
    if model.condition is None:
        if condition is None:
            return None
        raise ValueError(f"{owner}: received a condition, but the model has none")
    try:
        return model.condition.rows(condition, rows)
    except ValueError as error:
        raise ValueError(f"{owner}: {error}") from None


def check_values(model: LatentModel, values: np.ndarray, owner: str) -> None:
    """Refuse latents that the posterior gives no probability to.

    Raises:
        ValueError: If there are such.
    """
    support = model.encoder.family.support
    inside = np.asarray(support.contains(np.asarray(values, np.float32)))
    if not np.all(inside):
        raise ValueError(
            f"{owner}: the latents of {type(model.encoder.family).__name__} are {support.name}: wanted "
            f"{support.expected}; received {np.asarray(values)[~inside].ravel()[0]}"
        )


def check_real(model: LatentModel, owner: str) -> None:
    """Refuse a model whose latents are bounded or discrete.

    Raises:
        ValueError: If they are.
    """
    family = model.encoder.family
    if not family.support.real:
        raise ValueError(
            f"{owner}: wanted a model with real latents, such as those of Normal; received {type(family).__name__}, "
            f"whose latents are {family.support.name}. See keras_vae.latent.traverse"
        )


def for_all(condition: Any, owner: str) -> np.ndarray | None:
    """Read the one condition of a tool that has one image, as `[1, ...]`.

    Raises:
        ValueError: If there are several.
    """
    if condition is None:
        return None
    given = np.asarray(condition)
    if given.ndim > 1:
        raise ValueError(f"{owner}: condition has shape {given.shape}; wanted one label or one vector")
    return given[None]


def _mapped(network: Any, inputs: np.ndarray, condition: np.ndarray | None) -> np.ndarray:
    """Return the network's `mean` for all rows."""
    found = []
    for start in range(0, len(inputs), _ROWS):
        part = slice(start, start + _ROWS)
        told = {} if condition is None else {"condition": condition[part]}
        found.append(np.asarray(network(inputs[part], **told)["mean"]))
    return np.concatenate(found)
