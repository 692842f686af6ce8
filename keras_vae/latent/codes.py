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
    return _mapped(model.encode, x, for_rows(condition, len(x), owner))


def decode(model: LatentModel, z: np.ndarray, condition: Any, owner: str) -> Decoded:
    """Decode latents with any number of leading axes, `[rows, ..., latents]`.

    Args:
        model: The model.
        z: `[rows, ..., latents]`.
        condition: One for all, or one for each of the `rows`; None for a model without.
        owner: Who asks, for error messages.
    """
    flat = z.reshape(-1, z.shape[-1])
    condition = for_rows(condition, len(z), owner)
    if condition is not None:
        condition = np.repeat(condition, len(flat) // len(z), axis=0)
    images = _mapped(model.decode, flat, condition)
    return Decoded(images.reshape(*z.shape[:-1], *images.shape[1:]), z)


def for_rows(condition: Any, rows: int, owner: str) -> np.ndarray | None:
    """Read one condition for all rows, or one for each, as one for each, `[rows, ...]`.

    One axis as long as the rows holds a label for each row; of any other length, it is one vector for all.

    Raises:
        ValueError: If there are neither one nor `rows` conditions.

    Example:
        >>> for_rows(3, 2, "edit").tolist(), for_rows([0.5, 0.1, 0.4], 2, "edit").tolist()
        ([3, 3], [[0.5, 0.1, 0.4], [0.5, 0.1, 0.4]])
    """
    if condition is None:
        return None
    given = np.asarray(condition)
    if given.ndim == 0 or (given.ndim == 1 and len(given) != rows):
        return np.repeat(given[None], rows, axis=0)
    if len(given) != rows:
        raise ValueError(
            f"{owner}: condition has shape {given.shape}; wanted one label or vector for all {rows} rows, or one "
            "for each"
        )
    return given


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
