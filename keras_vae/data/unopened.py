"""What a dataset of `data.load` knows of itself: its batches as bytes, and which values they will have."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae.data.examples import Factor

_ATTRIBUTE = "_keras_vae_unopened"


@dataclass(frozen=True, eq=False)
class Unopened:
    """Batches before noise is drawn and numbers are made of bytes.

    Attributes:
        dataset: Of packed batches; see `keras_vae.data.packed`.
        values: All kinds of values that x will have, or None if that is not known.
        labels: All values of the labels, or None if there are none.
        factors: What is known of each column of labels `[batch, k]`; empty where nothing is.
    """

    dataset: tf.data.Dataset
    values: np.ndarray | None
    labels: np.ndarray | None
    factors: tuple[Factor, ...] = ()


def attach(dataset: tf.data.Dataset, unopened: Unopened) -> tf.data.Dataset:
    """Return the dataset, with what it knows. Whatever is made of it, by `take` or `map`, does not know it."""
    setattr(dataset, _ATTRIBUTE, unopened)
    return dataset


def unopened(dataset: Any) -> Unopened | None:
    """Return what a dataset knows of itself, if it is as `data.load` made it."""
    return getattr(dataset, _ATTRIBUTE, None)
