"""The plane that a model with two latents has learned."""

from statistics import NormalDist
from typing import Any

import numpy as np

from keras_vae.latent.codes import Decoded, LatentModel, check_real, decode, for_all
from keras_vae.utils.arguments import positive_integer


def manifold(
    model: LatentModel, size: int = 20, *, low: float = 0.05, high: float = 0.95, condition: Any = None
) -> Decoded:
    """Decode a square grid of latents, evenly spaced in probability under a standard normal prior.

    The grid's coordinates are quantiles Φ⁻¹(p), p from `low` to `high` (Kingma & Welling 2014, appendix A,
    figure 4). As on a plot, the first latent grows from left to right and the second from bottom to top.

    Args:
        model: A VAE with two latents.
        size: Images a side.
        low: The lowest probability.
        high: The highest probability.
        condition: The label or vector of all images, for a conditional model.

    Returns:
        Images, `[size, size, *event]`, and z, `[size, size, 2]`; row 0 is on top.

    Raises:
        ValueError: If the model has not two real latents, or not 0 < low < high < 1.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> images, z = manifold(vae, 3)
        >>> images.shape, float(z[0, 2].max())  # doctest: +ELLIPSIS
        ((3, 3, 4), 1.644...)
    """
    if model.latent_shape != (2,):
        raise ValueError(
            f"manifold: wanted a model with two latents, shape (2,); received one with shape {model.latent_shape}. "
            "Of more latents see keras_vae.latent.traverse"
        )
    check_real(model, "manifold")
    size = positive_integer(size, "manifold: size")
    if not 0 < low < high < 1:
        raise ValueError(f"manifold: wanted probabilities 0 < low < high < 1; received low={low}, high={high}")
    quantiles = [NormalDist().inv_cdf(p) for p in np.linspace(low, high, size)]
    first, second = np.meshgrid(quantiles, quantiles[::-1])
    z = np.stack([first, second], axis=-1).astype(np.float32)
    images = decode(model, z[None], for_all(condition, "manifold"), "manifold").images[0]
    return Decoded(images, z)
