"""Editing latents: setting one, and adding an attribute vector."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from keras_vae.latent.codes import Decoded, LatentModel, check_real, check_values, decode, latent_size, means


def edit(
    model: LatentModel, x: Any, changes: Mapping[int, float], *, condition: Any = None, relative: bool = False
) -> Decoded:
    """Decode x with some latents changed; the others stay at the posterior's mean.

    Args:
        model: A VAE whose latent is a vector.
        x: `[n, *event]`.
        changes: What to set a latent to, by its index: `{3: 2.5}`.
        condition: One label or vector for all x, or one for each; for a conditional model.
        relative: Whether to add to the latents rather than to set them.

    Returns:
        Images, `[n, *event]`, and z, `[n, latents]`.

    Raises:
        ValueError: If the latent is no vector, x has another shape, there is no such latent, or a value is none
            of the latents'.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> edit(vae, np.ones([2, 4]), {1: 2.5}).z[:, 1].tolist()
        [2.5, 2.5]
    """
    size = latent_size(model, "edit")
    for latent, value in changes.items():
        if not isinstance(latent, Integral) or isinstance(latent, bool) or not 0 <= latent < size:
            raise ValueError(f"edit: changes must name latents from 0 to {size - 1}; received {latent!r}")
        if np.ndim(value) != 0 or not np.isfinite(value):
            raise ValueError(f"edit: changes must hold finite numbers; received {value!r} for latent {latent}")
    z = means(model, x, condition, "edit")
    for latent, value in changes.items():
        z[:, latent] = value + (z[:, latent] if relative else 0)
        check_values(model, z[:, latent], "edit")
    return decode(model, z, condition, "edit")


def attribute_vector(
    model: LatentModel, *, x_with: Any, x_without: Any, condition_with: Any = None, condition_without: Any = None
) -> np.ndarray:
    """Return the direction of an attribute: mean latent of x that have it less that of x that have it not.

    Larsen, Sønderby, Larochelle & Winther (2016), "Autoencoding beyond pixels using a learned similarity metric".

    Args:
        model: A VAE whose latent is a vector.
        x_with: Examples with the attribute, `[n, *event]`.
        x_without: Examples without it, `[m, *event]`.
        condition_with: Of `x_with`, one label or vector for all or one for each; for a conditional model.
        condition_without: Of `x_without`, likewise.

    Returns:
        `[latents]`.

    Raises:
        ValueError: If the latent is no vector, there are no examples, or one has another shape.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> x = np.ones([2, 4])
        >>> attribute_vector(vae, x_with=x, x_without=x).tolist()
        [0.0, 0.0, 0.0]
    """
    latent_size(model, "attribute_vector")
    with_it = means(model, x_with, condition_with, "attribute_vector: x_with")
    without = means(model, x_without, condition_without, "attribute_vector: x_without")
    return with_it.mean(axis=0) - without.mean(axis=0)


def add_attribute(
    model: LatentModel, x: Any, vector: Any, *, strength: float | Sequence[float] = 1.0, condition: Any = None
) -> Decoded:
    """Decode z + α·v: x with an attribute added (α > 0) or taken away (α < 0).

    Args:
        model: A VAE whose latent is a vector.
        x: `[n, *event]`; z is the posterior's mean.
        vector: v, `[latents]`, as from `attribute_vector`.
        strength: α, or several.
        condition: One label or vector for all x, or one for each; for a conditional model.

    Returns:
        Images, `[n, *event]`, and z, `[n, latents]`; for several strengths `[n, strengths, ...]`.

    Raises:
        ValueError: If the latent is no vector, or x, the vector or the strengths have another shape or are not
            finite.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> add_attribute(vae, np.ones([2, 4]), [1.0, 0.0, 0.0], strength=[-1, 0, 1]).images.shape
        (2, 3, 4)
    """
    size = latent_size(model, "add_attribute")
    check_real(model, "add_attribute")
    direction = np.asarray(vector, np.float32)
    if direction.shape != (size,) or not np.all(np.isfinite(direction)):
        raise ValueError(
            f"add_attribute: vector must hold {size} finite numbers, as keras_vae.latent.attribute_vector returns "
            f"them; received {vector}"
        )
    alpha = np.asarray(strength, np.float32)
    if alpha.ndim > 1 or alpha.size == 0 or not np.all(np.isfinite(alpha)):
        raise ValueError(f"add_attribute: strength must be a finite number, or some in a sequence; received {strength}")
    z = means(model, x, condition, "add_attribute")
    z = z.reshape(len(z), *[1] * alpha.ndim, size) + alpha[..., None] * direction
    return decode(model, z, condition, "add_attribute")
