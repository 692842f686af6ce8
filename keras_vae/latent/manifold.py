"""The manifold: decoded images on a grid of the two latents of a model."""

from statistics import NormalDist
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.latent.codes import Decoded, LatentModel, acted_on, check_real, decode, for_all
from keras_vae.utils.arguments import positive_integer


def manifold(
    model: LatentModel,
    size: int = 20,
    *,
    low: float = 0.05,
    high: float = 0.95,
    group: str | None = None,
    condition: Any = None,
) -> Decoded:
    """Decode a square grid of latents, evenly spaced in probability under a standard normal prior.

    The grid's coordinates are quantiles Φ⁻¹(p), p from `low` to `high` (Kingma & Welling 2014, appendix A,
    figure 4). As in a plot, the first latent increases from left to right and the second from bottom to top.

    Args:
        model: A VAE with two latents.
        size: Images per side.
        low: The lowest probability.
        high: The highest probability.
        group: Of several groups of latents, the one of the grid; by default the last that the prior draws, which is
            the closest to x. The other groups are at the prior's mean given the groups before them.
        condition: One label or vector for all images, for a conditional model.

    Returns:
        Images, `[size, size, *event]`, and z, `[size, size, 2]`; row 0 is at the top.

    Raises:
        ValueError: If the model does not have two real latents, or unless 0 < low < high < 1.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> images, z = manifold(vae, 3)
        >>> images.shape, float(z[0, 2].max())  # doctest: +ELLIPSIS
        ((3, 3, 4), 1.644...)
    """
    group = acted_on(model, group, "manifold")
    shape = model.latents.shapes[group]
    if shape != (2,):
        raise ValueError(
            f"manifold: the model has the wrong number of latents: expected two latents, shape (2,), received "
            f"{shape}. Use keras_vae.latent.traverse for more"
        )
    check_real(model, group, "manifold")
    size = positive_integer(size, "manifold: size")
    if not 0 < low < high < 1:
        raise ValueError(
            f"manifold: low or high is out of range: expected 0 < low < high < 1, received low={low}, high={high}"
        )
    quantiles = [NormalDist().inv_cdf(p) for p in np.linspace(low, high, size)]
    first, second = np.meshgrid(quantiles, quantiles[::-1])
    z = np.stack([first, second], axis=-1).astype(np.float32)
    found = decode(model, z[None], for_all(condition, "manifold"), "manifold", group=group)
    return Decoded(found.images[0], tf.nest.map_structure(lambda value: value[0], found.z))
