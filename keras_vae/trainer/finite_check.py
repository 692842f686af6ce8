"""Stopping as soon as a loss or a gradient is NaN or infinite."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.utils import replicas


class NotFiniteError(ValueError):
    """A loss or a gradient became NaN or infinite; the weights are those of the step before."""


class Soundness:
    """Whether all steps so far had a finite loss and finite gradients, and if not, what the first such step had.

    A plain object, like `Meters`, which Keras does not track.

    Args:
        terms: Names of what the objective reports.
        variables: What is trained.
        gradients_may_overflow: As they may under loss scaling in float16, where the optimizer sees to it.
    """

    def __init__(self, terms: Sequence[str], variables: Sequence[Any], gradients_may_overflow: bool) -> None:
        self.terms = terms
        self.gradients = [variable.path for variable in variables]
        self.gradients_may_overflow = gradients_may_overflow
        self._sums = _variable([1 + len(self.terms) + len(self.gradients)], "float32")
        self._batch = _variable([], "int64")  # counted from 1; 0 as long as all is well

    def check(
        self, loss: tf.Tensor, terms: Mapping[str, tf.Tensor], gradients: Sequence[Any], batch: tf.Tensor
    ) -> tf.Tensor:
        """Return whether this step may be taken, a scalar bool, the same on all replicas.

        Args:
            loss: This replica's share of it, a scalar.
            terms: Each `[batch]`, in nats.
            gradients: This replica's share of them; None where there is none.
            batch: The batch's number in the epoch, counted from 1.
        """
        # A sum is finite if all its parts are, and costs one pass.
        sums = [loss, *(terms[name] for name in self.terms), *map(self._watched, gradients)]
        found = replicas.total(tf.stack([tf.cast(tf.reduce_sum(values), tf.float32) for values in sums]))
        fine_before = tf.equal(self._batch.value, 0)
        fine = tf.reduce_all(tf.math.is_finite(found))
        first = tf.logical_and(fine_before, tf.logical_not(fine))
        self._sums.assign(tf.where(first, found, self._sums.value))
        self._batch.assign(tf.where(first, tf.cast(batch, tf.int64), self._batch.value))
        return tf.logical_and(fine_before, fine)

    def _watched(self, gradient: Any) -> Any:
        if gradient is None or self.gradients_may_overflow:
            return 0.0
        return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient

    def reset(self) -> None:
        """Forget what was found."""
        self._batch.assign(0)

    def raise_if_lost(self) -> None:
        """Say what was found in a step that was not sound.

        Raises:
            NotFiniteError: If there was one.
        """
        batch = int(self._batch.numpy())
        if not batch:
            return
        sums = np.asarray(self._sums.numpy())
        named = dict(zip(("loss", *self.terms, *(f"gradient of {name}" for name in self.gradients)), sums, strict=True))
        lost = [f"{name} {value:g}" for name, value in named.items() if not np.isfinite(value)]
        self.reset()
        what = "the loss" if not np.isfinite(sums[0]) else "a gradient"
        raise NotFiniteError(
            f"{what} is no finite number in batch {batch} of the epoch: {_listed(lost)}. No step was taken on it or "
            "after it: the weights are the last good ones. A smaller learning rate or the optimizer's clipnorm is the "
            "usual cure; if it happens in the first batch, look at the data"
        )


def _variable(shape: list[int], dtype: str) -> keras.Variable:
    return keras.Variable(
        lambda shape, dtype: tf.zeros(shape, dtype),
        shape=shape,
        dtype=dtype,
        trainable=False,
        aggregation="only_first_replica",
    )


def _listed(found: Sequence[str]) -> str:
    shown = ", ".join(found[:6])
    return shown if len(found) <= 6 else f"{shown} and {len(found) - 6} more"
