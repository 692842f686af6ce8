"""Images with some of their latents changed."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np

from keras_vae.latent.codes import Decoded, LatentModel, check_values, decode, latent_size, means


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
