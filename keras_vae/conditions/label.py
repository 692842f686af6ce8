"""A class label as a condition."""

from typing import Any

import keras
import tensorflow as tf

from keras_vae.conditions.base import Condition
from keras_vae.families.support import Support
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class Label(Condition):
    """One of `classes` classes, an integer from 0; the networks see it one-hot.

    Args:
        classes: The number of classes.

    Raises:
        ValueError: If `classes` is not a positive integer.

    Example:
        >>> Label(3).encode([2]).numpy().tolist()
        [[0.0, 0.0, 1.0]]
    """

    shape = ()
    dtype = tf.int64

    def __init__(self, classes: int) -> None:
        self.size = positive_integer(classes, "Label: classes")
        self.support = Support(
            name="label",
            expected=f"every label an integer from 0 to {self.size - 1}",
            advice="Use numpy.argmax(y, axis=-1) for one-hot rows, and keras_vae.conditions.Vector for other vectors",
            contains=self._contains,
        )

    def _contains(self, y: tf.Tensor) -> tf.Tensor:
        y = tf.cast(y, tf.float64)
        return tf.logical_and(tf.equal(y, tf.round(y)), tf.logical_and(y >= 0, y < self.size))

    def encode(self, y: Any) -> tf.Tensor:
        """Return labels, `[...]`, as one-hot vectors, `[..., classes]`."""
        return tf.one_hot(tf.cast(y, tf.int32), self.size)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"classes": self.size}
