"""Editing latents: `edit` sets some, `add_attribute` adds an attribute vector."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from keras_vae.latent.codes import (
    Decoded,
    LatentModel,
    acted_on,
    check_real,
    check_values,
    decode,
    latent_size,
    means,
    of_group,
)
from keras_vae.utils.arguments import one_line
from keras_vae.utils.arrays import as_array


def edit(
    model: LatentModel,
    x: Any,
    changes: Mapping[int, float],
    *,
    group: str | None = None,
    condition: Any = None,
    relative: bool = False,
) -> Decoded:
    """Decode x with some latents changed; the others stay at the posterior mean.

    Args:
        model: A VAE with a latent vector.
        x: `[n, *event]`.
        changes: New value by index of the latent: `{3: 2.5}`.
        group: Of several groups of latents, the one to act on; by default the last that the prior draws, which is the
            closest to x. Groups that the prior draws before it stay at their encoded points, and later ones follow
            the prior's mean.
        condition: One label or vector for all x, or one per x; for a conditional model.
        relative: Whether to add the values to the latents instead of setting them.

    Returns:
        Images, `[n, *event]`, and z, `[n, latents]`.

    Raises:
        ValueError: If the latent is not a vector, the group is unknown, x has another shape, an index is out of range,
            or a value is outside the support.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> edit(vae, np.ones([2, 4]), {1: 2.5}).z[:, 1].tolist()
        [2.5, 2.5]
    """
    group = acted_on(model, group, "edit")
    size = latent_size(model, group, "edit")
    if not isinstance(changes, Mapping):
        raise ValueError(
            f"edit: changes: expected a dict of a new value by latent, received a {type(changes).__name__}. Use "
            "{3: 2.5}, for example."
        )
    for latent, value in changes.items():
        if not isinstance(latent, Integral) or isinstance(latent, bool) or not 0 <= latent < size:
            raise ValueError(
                f"edit: changes has an unknown latent: expected latents from 0 to {size - 1}, received "
                f"{one_line(latent)}"
            )
        if np.ndim(value) != 0 or not np.isfinite(value):
            raise ValueError(
                f"edit: changes has an invalid value: expected finite numbers, received {one_line(value)} for "
                f"latent {latent}"
            )
    encoded = means(model, x, condition, "edit")
    z = of_group(model, group, encoded)
    for latent, value in changes.items():
        z[:, latent] = value + (z[:, latent] if relative else 0)
        check_values(model, group, z[:, latent], "edit")
    return decode(model, z, condition, "edit", group=group, encoded=encoded)


def attribute_vector(
    model: LatentModel,
    *,
    x_with: Any,
    x_without: Any,
    group: str | None = None,
    condition_with: Any = None,
    condition_without: Any = None,
) -> np.ndarray:
    """Return the direction of an attribute: the mean latent of x with it minus the mean latent of x without it.

    Larsen, Sønderby, Larochelle & Winther (2016), "Autoencoding beyond pixels using a learned similarity metric".

    Args:
        model: A VAE with a latent vector.
        x_with: Examples with the attribute, `[n, *event]`.
        x_without: Examples without it, `[m, *event]`.
        group: Of several groups of latents, the one of the vector; by default as in `edit`.
        condition_with: Condition of `x_with`, one label or vector for all or one per x; for a conditional model.
        condition_without: Condition of `x_without`, in the same form.

    Returns:
        `[latents]`.

    Raises:
        ValueError: If the latent is not a vector, there are no examples, or they have another shape.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> x = np.ones([2, 4])
        >>> attribute_vector(vae, x_with=x, x_without=x).tolist()
        [0.0, 0.0, 0.0]
    """
    group = acted_on(model, group, "attribute_vector")
    latent_size(model, group, "attribute_vector")
    with_it = means(model, x_with, condition_with, "attribute_vector: x_with")
    without = means(model, x_without, condition_without, "attribute_vector: x_without")
    return of_group(model, group, with_it).mean(axis=0) - of_group(model, group, without).mean(axis=0)


def add_attribute(
    model: LatentModel,
    x: Any,
    vector: Any,
    *,
    strength: float | Sequence[float] = 1.0,
    group: str | None = None,
    condition: Any = None,
) -> Decoded:
    """Decode z + α·v: x with an attribute added (α > 0) or removed (α < 0).

    Args:
        model: A VAE with a latent vector.
        x: `[n, *event]`; z is the posterior mean.
        vector: v, `[latents]`, such as from `attribute_vector`.
        strength: α, one or several.
        group: Of several groups of latents, the one of the vector, as in `edit`.
        condition: One label or vector for all x, or one per x; for a conditional model.

    Returns:
        Images, `[n, *event]`, and z, `[n, latents]`; for several strengths `[n, strengths, ...]`.

    Raises:
        ValueError: If the latent is not a vector, or x, the vector or the strengths have another shape or are not
            finite.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> add_attribute(vae, np.ones([2, 4]), [1.0, 0.0, 0.0], strength=[-1, 0, 1]).images.shape
        (2, 3, 4)
    """
    group = acted_on(model, group, "add_attribute")
    size = latent_size(model, group, "add_attribute")
    check_real(model, group, "add_attribute")
    direction = np.asarray(as_array(vector, "add_attribute: vector"), np.float32)
    if direction.shape != (size,) or not np.all(np.isfinite(direction)):
        raise ValueError(
            f"add_attribute: vector is invalid: expected {size} finite numbers, received {vector}. Use "
            "keras_vae.latent.attribute_vector"
        )
    alpha = np.asarray(as_array(strength, "add_attribute: strength"), np.float32)
    if alpha.ndim > 1 or alpha.size == 0 or not np.all(np.isfinite(alpha)):
        raise ValueError(
            f"add_attribute: strength is invalid: expected one or more finite numbers, received {strength}"
        )
    encoded = means(model, x, condition, "add_attribute")
    z = of_group(model, group, encoded)
    z = z.reshape(len(z), *[1] * alpha.ndim, size) + alpha[..., None] * direction
    return decode(model, z, condition, "add_attribute", group=group, encoded=encoded)
