"""Encoding and decoding for all latent tools, with checks: arrays in, NumPy arrays out."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from keras_vae.inference import LatentGroups
from keras_vae.utils.arguments import one_line
from keras_vae.utils.arrays import as_array

# Rows per call of a network: the feature maps of convolutions are far larger than images.
_ROWS = 1024


class LatentModel(Protocol):
    """What the tools need from a model such as `keras_vae.VAE`."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Return the shape of one x."""

    @property
    def latents(self) -> LatentGroups:
        """Return the names and shapes of the groups of latents."""

    @property
    def encoder(self) -> Any:
        """Return q(z|x), whose families know the supports of the latents."""

    @property
    def prior(self) -> Any:
        """Return p(z), which knows the order of the groups."""

    @property
    def condition(self) -> Any:
        """Return the condition, or None."""

    def encode(self, x: Any, condition: Any = None) -> Any:
        """Return the posterior's `mean`, `[batch, *latent]`."""

    def decode(self, z: Any, condition: Any = None) -> Any:
        """Return the likelihood's `mean`, `[batch, *event]`."""

    def inference_at(self, x: Any, condition: Any = None) -> Any:
        """Return the densities of latents, for x of any values; needed for several groups."""


class Decoded(NamedTuple):
    """Latents and their decoded images.

    Attributes:
        images: Means of the likelihood, `[..., *event]`.
        z: The latents, `[..., latents]`; of a model with several groups, a dict of them.
    """

    images: np.ndarray
    z: Any


def acted_on(model: LatentModel, group: str | None, owner: str) -> str:
    """Return the group that a tool acts on: the given one, or by default the prior's last, the closest to x.

    Raises:
        ValueError: If the model has no such group.
    """
    if group is None:
        return model.prior.groups[-1] if model.latents.several else model.latents.names[0]
    if group not in model.latents.names:
        expected = ", ".join(map(repr, model.latents.names))
        raise ValueError(f"{owner}: group is unknown: expected one of {expected}, received {one_line(group)}")
    return group


def latent_size(model: LatentModel, group: str, owner: str) -> int:
    """Return the number of latents of a group.

    Raises:
        ValueError: If the latent is not a vector.
    """
    shape = model.latents.shapes[group]
    if len(shape) != 1:
        raise ValueError(
            f"{owner}: the latent is not a vector: expected shape (latents,), such as that of "
            f"keras_vae.families.Normal(20), received {shape}"
        )
    return shape[0]


def one_example(model: LatentModel, x: Any, owner: str) -> np.ndarray:
    """Read one x, `[*event]`, as a batch, `[1, *event]`.

    Raises:
        ValueError: If it has another shape.
    """
    x = np.asarray(as_array(x, f"{owner}: x"))
    if x.shape != model.event_shape:
        hint = ". Pass one example of the batch, x[0]" if x.shape[1:] == model.event_shape else ""
        raise ValueError(
            f"{owner}: x has the wrong shape: expected one example, {model.event_shape}, received {x.shape}{hint}"
        )
    return x[None]


def means(model: LatentModel, x: Any, condition: Any, owner: str) -> Any:
    """Return the posteriors' means, `[n, *latent]`, bare or by group, of x `[n, *event]`; arguments as in `encoded`."""
    return encoded(model, x, condition, owner)["mean"]


def encoded(model: LatentModel, x: Any, condition: Any, owner: str) -> dict[str, Any]:
    """Return what the model encodes: the posteriors' `mean` and `scale`, each `[n, *latent]`, bare or by group.

    Args:
        model: The model.
        x: `[n, *event]`.
        condition: One for all rows, or one per row; None for a model without.
        owner: The name in errors.

    Raises:
        ValueError: If there is no x, or x or the condition has the wrong shape.
    """
    x = np.asarray(as_array(x, f"{owner}: x"))
    if x.shape[1:] != model.event_shape or len(x) == 0:
        hint = ". Add the batch axis, x[None]" if x.shape == model.event_shape else ""
        raise ValueError(
            f"{owner}: x has the wrong shape: expected at least one example, {('n', *model.event_shape)}, received "
            f"{x.shape}{hint}"
        )
    return _mapped(model.encode, x, for_rows(model, condition, len(x), owner))


def decode(
    model: LatentModel, z: np.ndarray, condition: Any, owner: str, *, group: str, encoded: Any = None
) -> Decoded:
    """Decode latents of a group with any number of leading axes, `[rows, ..., latents]`.

    Of several groups, those that the prior draws before the group stay at their encoded points, or at the prior's mean
    if there are none, and those that it draws later follow the prior's mean given the groups before them.

    Args:
        model: The model.
        z: `[rows, ..., latents]`.
        condition: One for all, or one for each of the `rows`; None for a model without.
        owner: The name in errors.
        group: The group of z.
        encoded: The encoded points of each row, `[rows, *latent]` by group, for several groups.

    Raises:
        ValueError: If the prior of a later group has no mean in closed form.
    """
    flat = z.reshape(-1, z.shape[-1])
    condition = for_rows(model, condition, len(z), owner)
    each = len(flat) // len(z)
    if condition is not None:
        condition = np.repeat(condition, each, axis=0)
    if not model.latents.several:
        images = _decoded(model, flat, condition)
        return Decoded(images.reshape(*z.shape[:-1], *images.shape[1:]), z)
    given = {group: flat}
    order = list(model.prior.groups)
    if encoded is not None:
        before = order[: order.index(group)]
        given |= {name: np.repeat(encoded[name], each, axis=0) for name in before}
    points = _mapped(lambda some, **condition: followed(model, some, owner, **condition), given, condition)
    images = _decoded(model, points, condition)
    shaped = {name: value.reshape(*z.shape[:-1], *value.shape[1:]) for name, value in points.items()}
    return Decoded(images.reshape(*z.shape[:-1], *images.shape[1:]), shaped)


def followed(
    model: LatentModel, given: dict[str, np.ndarray], owner: str, condition: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return all groups, `[n, *latent]`: those given, and the others at the prior's mean given the groups before.

    Args:
        model: A model with several groups.
        given: Groups, `[n, *latent]` each; the first ones in the prior's order.
        owner: The name in errors.
        condition: One for each row; None for a model without.

    Raises:
        ValueError: If the prior of another group has no mean in closed form.
    """
    rows = len(next(iter(given.values())))
    shapes = model.latents.shapes
    z = {name: given.get(name, np.zeros([rows, *shapes[name]], np.float32)) for name in model.prior.groups}
    # The prior does not depend on x.
    inference = model.inference_at(np.zeros([rows, *model.event_shape], np.float32), condition=condition)
    for name in model.prior.groups:
        if name in given:
            continue
        prior = inference.densities({each: value[None] for each, value in z.items()}).prior[name]
        try:
            point = prior.mode() if model.prior.supports[name].discrete else prior.mean()
        except NotImplementedError:
            raise ValueError(
                f"{owner}: the prior of the group {name!r} has no mean in closed form, so the group cannot follow the "
                f"change: expected group={model.prior.groups[-1]!r}, received a group that the prior draws before it"
            ) from None
        z[name] = np.broadcast_to(point, (1, rows, *shapes[name]))[0]
    return z


def of_group(model: LatentModel, group: str, by_group: Any) -> np.ndarray:
    """Return what belongs to the group: all of it, if that is the only one."""
    return by_group[group] if model.latents.several else by_group


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


def check_values(model: LatentModel, group: str, values: np.ndarray, owner: str) -> None:
    """Check that latents of a group are in the support of its posterior.

    Raises:
        ValueError: If one is not.
    """
    family = model.encoder.families[group]
    support = family.support
    inside = np.asarray(support.contains(np.asarray(values, np.float32)))
    if not np.all(inside):
        raise ValueError(
            f"{owner}: a value is outside the support of the {support.name} latents of "
            f"{type(family).__name__}: expected {support.expected}, received "
            f"{np.asarray(values)[~inside].ravel()[0]}"
        )


def check_real(model: LatentModel, group: str, owner: str) -> None:
    """Check that the latents of a group are real.

    Raises:
        ValueError: If they are bounded or discrete.
    """
    family = model.encoder.families[group]
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
    given = np.asarray(as_array(condition, f"{owner}: condition"))
    if given.ndim > 1:
        raise ValueError(
            f"{owner}: condition has the wrong shape: expected one label or one vector, received {given.shape}"
        )
    return given[None]


def _decoded(model: LatentModel, z: Any, condition: np.ndarray | None) -> np.ndarray:
    # The mean alone: the parameters of some likelihoods are many times as large.
    return _mapped(lambda some, **given: model.decode(some, **given)["mean"], z, condition)


def _mapped(network: Any, inputs: Any, condition: np.ndarray | None) -> Any:
    """Return what the network makes of all rows; inputs are bare or by group."""
    found = []
    for start in range(0, len(tf.nest.flatten(inputs)[0]), _ROWS):
        part = slice(start, start + _ROWS)
        given = {} if condition is None else {"condition": condition[part]}
        some = tf.nest.map_structure(lambda values, part=part: values[part], inputs)
        found.append(tf.nest.map_structure(np.asarray, network(some, **given)))
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *found)
