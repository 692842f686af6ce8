"""Interpolation between two images through their latents."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.latent.codes import (
    Decoded,
    LatentModel,
    acted_on,
    decode,
    for_all,
    latent_size,
    means,
    of_group,
    one_example,
)
from keras_vae.utils.arguments import lookup, positive_integer
from keras_vae.utils.arrays import as_array

KINDS = ("linear", "spherical")

# Radians. Below, chord and arc are equal in double precision; this close to π, the arc is not determined.
_SMALL_ANGLE = 1e-6


def interpolate(
    model: LatentModel,
    x0: Any,
    x1: Any,
    *,
    steps: int = 9,
    kind: str = "linear",
    group: str | None = None,
    condition: Any = None,
) -> Decoded:
    """Decode a path between the posterior means of two examples.

    Args:
        model: A VAE with a latent vector.
        x0: The start, `[*event]`.
        x1: The end, `[*event]`.
        steps: Number of images, both ends included.
        kind: `"linear"` or `"spherical"`: see `interpolate_latents`.
        group: Of several groups of latents, the one to act on; by default the last that the prior draws, which is the
            closest to x. Groups that the prior draws before it go straight from one encoded point to the other, and
            later ones follow the prior's mean.
        condition: One label or vector for both, for a conditional model.

    Returns:
        Images, `[steps, *event]`, and z, `[steps, latents]`.

    Raises:
        ValueError: If the latent is not a vector, x0 or x1 has another shape, or as for `interpolate_latents`.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> images, z = interpolate(vae, np.zeros(4), np.ones(4), steps=5)
        >>> images.shape, z.shape
        ((5, 4), (5, 3))
    """
    group = acted_on(model, group, "interpolate")
    latent_size(model, group, "interpolate")
    known = for_all(condition, "interpolate")
    ends = [means(model, one_example(model, x, "interpolate"), known, "interpolate") for x in (x0, x1)]
    z0, z1 = (of_group(model, group, end)[0] for end in ends)
    path = interpolate_latents(z0, z1, steps=steps, kind=kind)
    # One row for each step, so that each has its own points of the groups before.
    straight = tf.nest.map_structure(lambda start, end: np.linspace(start[0], end[0], steps, dtype=start.dtype), *ends)
    one = None if known is None else known[0]
    return decode(model, path, one, "interpolate", group=group, encoded=straight)


def interpolate_latents(z0: Any, z1: Any, *, steps: int = 9, kind: str = "linear") -> np.ndarray:
    """Return a path between two latents.

    Linear: (1 − t) z₀ + t z₁. Spherical: (sin((1 − t)θ) z₀ + sin(tθ) z₁) / sin θ with θ the angle between them
    (Shoemake 1985, "Animating rotation with quaternion curves", section 3.3; White 2016, "Sampling generative
    networks", section 2), whose points have a length typical of a standard normal prior, while the straight line
    passes closer to 0. If both have the same direction, or one is 0, the arc is the straight line.

    Args:
        z0: The start, `[latents]`.
        z1: The end, `[latents]`.
        steps: Number of latents, both ends included; t is evenly spaced.
        kind: `"linear"` or `"spherical"`.

    Returns:
        `[steps, latents]`.

    Raises:
        ValueError: If a latent is not a finite vector, the shapes differ, `steps` is below 2, the kind is unknown, or
            the ends of a spherical path have opposite directions, so that no arc is the shortest.

    Example:
        >>> interpolate_latents([2.0, 0.0], [0.0, 2.0], steps=3, kind="spherical").round(4).tolist()
        [[2.0, 0.0], [1.4142, 1.4142], [0.0, 2.0]]
    """
    z0, z1 = (np.asarray(as_array(z, f"interpolate: {name}")) for name, z in (("z0", z0), ("z1", z1)))
    if z0.ndim != 1 or z0.shape != z1.shape or not (np.all(np.isfinite(z0)) and np.all(np.isfinite(z1))):
        raise ValueError(
            f"interpolate: the latents are invalid: expected two finite vectors of the same length, received z0={z0} "
            f"(shape {z0.shape}) and z1={z1} (shape {z1.shape})"
        )
    if positive_integer(steps, "interpolate: steps") < 2:
        raise ValueError(f"interpolate: steps is too small: expected 2 or more, for both ends, received {steps}")
    lookup(kind, dict.fromkeys(KINDS), "kind")
    dtype = np.result_type(z0, z1, np.float32)
    t = np.linspace(0, 1, steps)[:, None]
    start, end = z0.astype(np.float64), z1.astype(np.float64)
    angle = _angle(start, end) if kind == "spherical" else 0.0
    if np.pi - angle < _SMALL_ANGLE:
        raise ValueError(
            "interpolate: the latents have opposite directions, so no arc is the shortest: expected other ends, "
            f"received z0={z0} and z1={z1}. Use kind='linear', or interpolate through a third latent"
        )
    if angle < _SMALL_ANGLE:
        return ((1 - t) * start + t * end).astype(dtype)
    return ((np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)).astype(dtype)


def _angle(z0: np.ndarray, z1: np.ndarray) -> float:
    """Return the angle between two vectors, in [0, π]; 0 if one is zero."""
    length0, length1 = np.linalg.norm(z0), np.linalg.norm(z1)
    if length0 == 0 or length1 == 0:
        return 0.0
    # Exact also for small angles, where the arc cosine loses half of its digits.
    u, v = z0 / length0, z1 / length1
    return float(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v)))
