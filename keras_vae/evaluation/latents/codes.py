"""The posterior means and scales of a whole data set, with the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_vae.evaluation.batches import through
from keras_vae.inference import LatentGroups
from keras_vae.utils.arguments import one_line
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE


@dataclass(frozen=True, eq=False)
class Codes:
    """The posteriors of a data set.

    Attributes:
        means: `[n, latents]`; latents of higher rank are flattened.
        scales: `[n, latents]`, standard deviations.
        labels: `[n, ...]`, or None.
    """

    means: np.ndarray
    scales: np.ndarray
    labels: np.ndarray | None


def chosen(model: VAE, group: str | None, measure: str) -> list[str]:
    """Return the groups of latents that a measure is of: the given one, or by default all, sorted.

    Raises:
        ValueError: If the model has no such group.
    """
    names = model.latents.names
    if group is not None and group not in names:
        raise ValueError(
            f"{measure}: group is unknown: expected one of {', '.join(map(repr, names))}, received {one_line(group)}"
        )
    return names if group is None else [group]


def latent_names(latents: LatentGroups, groups: Sequence[str] | None = None) -> list[str]:
    """Return the names of the latents of some groups, by default of all, in the order in which they lie side by side.

    Example:
        >>> latent_names(LatentGroups({"z1": (1, 2), "z2": (1,)}))
        ['z1[0, 0]', 'z1[0, 1]', 'z2[0]']
    """
    return [
        f"{name}[{', '.join(map(str, index))}]"
        for name in groups or latents.names
        for index in np.ndindex(*latents.shapes[name])
    ]


def codes(
    model: VAE,
    data: Any,
    *,
    group: str | None = None,
    measure: str = "codes",
    batch_size: int = 100,
    labels: bool = False,
    verbose: bool = True,
) -> Codes:
    """Encode a data set.

    Args:
        model: A VAE.
        data: As in `batches.through`.
        group: The group of latents; by default all, side by side, sorted by name.
        measure: The name in the progress bar and in errors.
        batch_size: Batch size for arrays.
        labels: Whether labels are required.
        verbose: Whether to show a progress bar.

    Raises:
        ValueError: As `batches.through`, and if the model has no such group.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> codes(vae, (np.ones([10, 4], "float32"), np.arange(10)), verbose=False).means.shape
        (10, 2)
    """
    groups = chosen(model, group, measure)

    def side_by_side(value: Any, count: int) -> np.ndarray:
        parts = model.latents.unpack(value)
        return np.concatenate([parts[name].numpy().reshape(count, -1) for name in groups], axis=1)

    encode = compiled(lambda x, y: model.encode(x, condition=y))
    means, scales, labels_of = [], [], []
    for batch in through(model, data, measure=measure, batch_size=batch_size, labels=labels, verbose=verbose):
        found = encode(batch.x, batch.condition)
        count = len(batch.x)
        means.append(side_by_side(found["mean"], count))
        scales.append(side_by_side(found["scale"], count))
        if batch.y is not None:
            labels_of.append(batch.y.numpy())
    return Codes(np.concatenate(means), np.concatenate(scales), np.concatenate(labels_of) if labels_of else None)
