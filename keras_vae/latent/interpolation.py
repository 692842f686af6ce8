"""From one image to another by way of the latents."""

from typing import Any

import numpy as np

from keras_vae.latent.codes import Decoded, LatentModel, decode, for_all, latent_size, means, one_example
from keras_vae.utils.arguments import lookup, positive_integer

KINDS = ("linear", "spherical")

# Radians. Below it a chord and an arc are the same in double precision; as near to π no arc is determined.
_SMALL_ANGLE = 1e-6


def interpolate(
    model: LatentModel, x0: Any, x1: Any, *, steps: int = 9, kind: str = "linear", condition: Any = None
) -> Decoded:
    """Decode the way between the posterior means of two examples.

    Args:
        model: A VAE whose latent is a vector.
        x0: Where it starts, `[*event]`.
        x1: Where it ends, `[*event]`.
        steps: How many images, both ends included.
        kind: `"linear"` or `"spherical"`: see `interpolate_latents`.
        condition: The label or vector of both, for a conditional model.

    Returns:
        Images, `[steps, *event]`, and z, `[steps, latents]`.

    Raises:
        ValueError: If the latent is no vector, x0 or x1 has another shape, or as `interpolate_latents`.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> images, z = interpolate(vae, np.zeros(4), np.ones(4), steps=5)
        >>> images.shape, z.shape
        ((5, 4), (5, 3))
    """
    latent_size(model, "interpolate")
    known = for_all(condition, "interpolate")
    z0, z1 = (means(model, one_example(model, x, "interpolate"), known, "interpolate")[0] for x in (x0, x1))
    images, z = decode(model, interpolate_latents(z0, z1, steps=steps, kind=kind)[None], known, "interpolate")
    return Decoded(images[0], z[0])


def interpolate_latents(z0: Any, z1: Any, *, steps: int = 9, kind: str = "linear") -> np.ndarray:
    """Return the way between two latents.

    Linear: (1 − t) z₀ + t z₁. Spherical: (sin((1 − t)θ) z₀ + sin(tθ) z₁) / sin θ with θ the angle between them
    (Shoemake 1985, "Animating rotation with quaternion curves", section 3.3; White 2016, "Sampling generative
    networks", section 2), which keeps to lengths that a standard normal prior gives, where the straight line
    passes nearer to 0. If both point the same way, or one is 0, the arc is the straight line.

    Args:
        z0: Where it starts, `[latents]`.
        z1: Where it ends, `[latents]`.
        steps: How many latents, both ends included; t is spaced evenly.
        kind: `"linear"` or `"spherical"`.

    Returns:
        `[steps, latents]`.

    Raises:
        ValueError: If a latent is no finite vector, the shapes differ, `steps` is below 2, the kind is unknown, or
            spherical ends point in opposite ways, so that no arc is shorter than the others.

    Example:
        >>> interpolate_latents([2.0, 0.0], [0.0, 2.0], steps=3, kind="spherical").round(4).tolist()
        [[2.0, 0.0], [1.4142, 1.4142], [0.0, 2.0]]
    """
    z0, z1 = np.asarray(z0), np.asarray(z1)
    if z0.ndim != 1 or z0.shape != z1.shape or not (np.all(np.isfinite(z0)) and np.all(np.isfinite(z1))):
        raise ValueError(
            f"interpolate: wanted two finite vectors of one length; received z0={z0} (shape {z0.shape}) and z1={z1} "
            f"(shape {z1.shape})"
        )
    if positive_integer(steps, "interpolate: steps") < 2:
        raise ValueError(f"interpolate: steps must be at least 2, for both ends; received {steps}")
    lookup(kind, dict.fromkeys(KINDS), "kind")
    dtype = np.result_type(z0, z1, np.float32)
    t = np.linspace(0, 1, steps)[:, None]
    start, end = z0.astype(np.float64), z1.astype(np.float64)
    angle = _angle(start, end) if kind == "spherical" else 0.0
    if np.pi - angle < _SMALL_ANGLE:
        raise ValueError(
            f"interpolate: the latents point in opposite ways, so that no arc is shorter than the others; received "
            f"z0={z0} and z1={z1}. Use kind='linear', or go by way of a third latent"
        )
    if angle < _SMALL_ANGLE:
        return ((1 - t) * start + t * end).astype(dtype)
    return ((np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)).astype(dtype)


def _angle(z0: np.ndarray, z1: np.ndarray) -> float:
    """Return the angle between two vectors, in [0, π]; 0 if one is zero."""
    length0, length1 = np.linalg.norm(z0), np.linalg.norm(z1)
    if length0 == 0 or length1 == 0:
        return 0.0
    # Exact for small angles too, where the arc cosine loses half its digits.
    u, v = z0 / length0, z1 / length1
    return float(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v)))
