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
    """Records whether all steps had a finite loss and finite gradients, and the values of the first that did not.

    A plain object that Keras does not track, like `Meters`.

    Args:
        terms: Names of the objective's terms.
        variables: All variables that may be trained.
    """

    def __init__(self, terms: Sequence[str], variables: Sequence[Any]) -> None:
        self.terms = terms
        self.gradients = [*(variable.path for variable in variables), "weights made after compile"]
        self._places = {id(variable): place for place, variable in enumerate(variables)}
        self._sums = _variable([1 + len(self.terms) + len(self.gradients)], "float32")
        self._batch = _variable([], "int64")  # counted from 1; 0 while all steps are finite

    def check(
        self, loss: tf.Tensor, terms: Mapping[str, tf.Tensor], gradients: Sequence[tuple[Any, Any]], batch: tf.Tensor
    ) -> tf.Tensor:
        """Return whether to apply this step, a scalar bool that is the same on all replicas.

        Args:
            loss: This replica's share of the loss, a scalar.
            terms: The objective's terms, each `[batch]`, in nats.
            gradients: Pairs of this replica's share of a gradient, a tensor or None, and its variable. None are given
                where they may overflow, as in float16 with loss scaling, which the optimizer handles.
            batch: The number of the batch in the epoch, counted from 1.
        """
        # A sum is finite if all its parts are, and takes one pass.
        sums = [_sum(values) for values in (loss, *(terms[name] for name in self.terms))]
        slopes: dict[int, Any] = {}
        unknown = len(self.gradients) - 1
        for gradient, variable in gradients:
            if gradient is not None:
                slope = _sum(gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient)
                place = self._places.get(id(variable), unknown)
                slopes[place] = slopes[place] + slope if place in slopes else slope
        sums += [slopes.get(place, 0.0) for place in range(len(self.gradients))]
        found = replicas.total(tf.stack(sums))
        fine_before = tf.equal(self._batch.value, 0)
        fine = tf.reduce_all(tf.math.is_finite(found))
        first = tf.logical_and(fine_before, tf.logical_not(fine))
        self._sums.assign(tf.where(first, found, self._sums.value))
        self._batch.assign(tf.where(first, tf.cast(batch, tf.int64), self._batch.value))
        return tf.logical_and(fine_before, fine)

    def reset(self) -> None:
        """Reset the record."""
        self._batch.assign(0)

    def raise_if_lost(self) -> None:
        """Raise an error with the values of the first step that was not finite.

        Raises:
            NotFiniteError: If there was such a step.
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
            f"{what} in batch {batch} of the epoch: expected finite values, received {_listed(lost)}. The weights are "
            "those before this batch. Use a smaller learning rate or the optimizer's clipnorm, or, if it is the first "
            "batch, check the data."
        )


def _sum(values: Any) -> tf.Tensor:
    return tf.cast(tf.reduce_sum(values), tf.float32)


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
