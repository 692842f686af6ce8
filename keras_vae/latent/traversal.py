"""Traversal: images decoded with one latent changed at a time."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_vae.latent.activity import activity
from keras_vae.latent.codes import (
    LatentModel,
    acted_on,
    check_values,
    decode,
    for_all,
    latent_size,
    means,
    of_group,
    one_example,
)
from keras_vae.utils.arguments import one_line, positive_integer
from keras_vae.utils.arrays import as_array

_DEFAULT = {"unit interval": np.linspace(0, 1, 11), "binary": np.array([0.0, 1.0])}


class Traversal(NamedTuple):
    """Images of one x whose latents were changed one at a time.

    Attributes:
        images: Means of the likelihood, `[latents, values, *event]`.
        z: The latents, `[latents, values, size]`; of a model with several groups, a dict of them.
        latents: The latent changed in each row, `[latents]`.
        values: The value of that latent in each column, `[values]`.
        activity: Variance of its posterior mean over the reference, `[latents]`; None without a reference.
    """

    images: np.ndarray
    z: Any
    latents: np.ndarray
    values: np.ndarray
    activity: np.ndarray | None


def traverse(
    model: LatentModel,
    x: Any,
    *,
    latents: int | Sequence[int] | None = None,
    values: Sequence[float] | None = None,
    reference: Any = None,
    group: str | None = None,
    condition: Any = None,
    reference_condition: Any = None,
) -> Traversal:
    """Set one latent of x at a time to each of several values; the others stay at the posterior mean.

    Args:
        model: A VAE with a latent vector.
        x: One example, `[*event]`.
        latents: Indices of the latents; or their largest number, the most active over `reference` (`activity`) first;
            all by default.
        values: Values to set; by default eleven from −3 to 3, from 0 to 1 if latents are bounded, or 0 and 1 if they
            are binary.
        reference: Examples to measure activity on, `[n, *event]`.
        group: Of several groups of latents, the one to act on; by default the last that the prior draws, which is the
            closest to x. Groups that the prior draws before it stay at their encoded points, and later ones follow
            the prior's mean.
        condition: The label or vector of x, for a conditional model.
        reference_condition: Condition of `reference`, one for all or one per example; that of x by default.

    Returns:
        The images, the latents, the values and the activities.

    Raises:
        ValueError: If the latent is not a vector, x has another shape, an index is out of range, a value is outside the
            support, or a number of latents is passed without a reference.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=3, hidden=[8])
        >>> traverse(vae, np.ones(4), latents=[0, 2], values=[-1, 0, 1]).images.shape
        (2, 3, 4)
    """
    group = acted_on(model, group, "traverse")
    size = latent_size(model, group, "traverse")
    x = one_example(model, x, "traverse")
    values_at = _values(model, group, values)
    known = for_all(condition, "traverse")
    measured = None
    if reference is not None:
        if reference_condition is None and known is not None:
            reference_condition = np.repeat(known, len(reference), axis=0)
        measured = of_group(model, group, activity(model, reference, condition=reference_condition))
    chosen = _latents(latents, size, measured)
    encoded = means(model, x, known, "traverse")
    z = np.tile(of_group(model, group, encoded)[0], (len(chosen), len(values_at), 1))
    for row, latent in enumerate(chosen):
        z[row, :, latent] = values_at
    found = decode(model, z[None], known, "traverse", group=group, encoded=encoded)
    z = tf.nest.map_structure(lambda value: value[0], found.z)
    return Traversal(found.images[0], z, chosen, values_at, None if measured is None else measured[chosen])


def _values(model: LatentModel, group: str, values: Sequence[float] | None) -> np.ndarray:
    if values is None:
        return _DEFAULT.get(model.encoder.families[group].support.name, np.linspace(-3, 3, 11)).astype(np.float32)
    found = np.asarray(as_array(values, "traverse: values"), np.float32)
    if found.ndim != 1 or len(found) == 0 or not np.all(np.isfinite(found)):
        raise ValueError(
            f"traverse: values is invalid: expected one or more finite numbers, such as [-2, 0, 2], received {values}"
        )
    check_values(model, group, found, "traverse")
    return found


def _latents(latents: int | Sequence[int] | None, size: int, measured: np.ndarray | None) -> np.ndarray:
    if latents is None:
        return np.arange(size)
    if isinstance(latents, Integral):
        count = positive_integer(latents, "traverse: the number of latents")
        if measured is None:
            raise ValueError(
                f"traverse: the most active latents are unknown: expected reference=examples with latents={latents}, "
                f"received none. Pass reference=, or indices such as latents=[{latents}]"
            )
        return np.argsort(measured, kind="stable")[::-1][:count]
    given = np.asarray(latents)
    if given.ndim != 1 or len(given) == 0 or given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= size:
        raise ValueError(
            f"traverse: latents is out of range: expected indices from 0 to {size - 1}, received {one_line(latents)}"
        )
    return given
