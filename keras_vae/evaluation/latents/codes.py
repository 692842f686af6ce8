"""The posterior means and scales of a whole data set, with the labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.evaluation.batches import through
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


def codes(
    model: VAE, data: Any, *, measure: str = "codes", batch_size: int = 100, labels: bool = False, verbose: bool = True
) -> Codes:
    """Encode a data set.

    Args:
        model: A VAE.
        data: As in `batches.through`.
        measure: The name in the progress bar and in errors.
        batch_size: Batch size for arrays.
        labels: Whether labels are required.
        verbose: Whether to show a progress bar.

    Raises:
        ValueError: As `batches.through`.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> codes(vae, (np.ones([10, 4], "float32"), np.arange(10)), verbose=False).means.shape
        (10, 2)
    """
    encode = tf.function(lambda x, y: model.encode(x, condition=y), reduce_retracing=True)
    means, scales, labels_of = [], [], []
    for batch in through(model, data, measure=measure, batch_size=batch_size, labels=labels, verbose=verbose):
        found = encode(batch.x, batch.condition)
        count = len(batch.x)
        means.append(found["mean"].numpy().reshape(count, -1))
        scales.append(found["scale"].numpy().reshape(count, -1))
        if batch.y is not None:
            labels_of.append(batch.y.numpy())
    return Codes(np.concatenate(means), np.concatenate(scales), np.concatenate(labels_of) if labels_of else None)
