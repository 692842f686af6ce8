"""The running means that training and evaluation report."""

from collections.abc import Sequence

import keras
import tensorflow as tf


class Meters:
    """The means over examples of the loss and an objective's terms, in nats, and the number of batches seen.

    A plain object, which Keras does not track: it allows no new state in a built model, but another objective
    has other terms.

    Args:
        names: The objective's terms.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.means = [keras.metrics.Mean(name=name) for name in ("loss", *names)]
        self.batches = keras.metrics.Sum(name="batches")

    def update(self, terms: dict[str, tf.Tensor], weight: tf.Tensor | None) -> None:
        """Count a batch, and add its per-example terms, `[batch]`, with their weights, `[batch]`."""
        self.batches.update_state(1.0)
        for mean in self.means:
            mean.update_state(terms[mean.name], sample_weight=weight)

    def reset(self) -> None:
        """Begin anew."""
        for metric in (*self.means, self.batches):
            metric.reset_state()
