"""A real vector as a condition."""

from typing import Any

import keras
import tensorflow as tf

from keras_vae.conditions.base import Condition
from keras_vae.families.support import REAL, Support
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class Vector(Condition):
    """A vector of `size` finite numbers, which the networks see unchanged.

    Args:
        size: The length of the vector.

    Raises:
        ValueError: If `size` is not a positive integer.

    Example:
        >>> Vector(2).encode([[0.5, 1.0]]).numpy().tolist()
        [[0.5, 1.0]]
    """

    dtype = tf.float32

    def __init__(self, size: int) -> None:
        self.size = positive_integer(size, "Vector: size")
        self.shape = (self.size,)
        self.support = Support(
            name="vector",
            expected=f"vectors of {self.size} finite numbers",
            advice="Remove or impute NaN and infinite values",
            contains=lambda y: REAL.contains(tf.cast(y, tf.float32)),
        )

    def encode(self, y: Any) -> tf.Tensor:
        """Return y as floats, `[..., size]`."""
        return tf.cast(y, tf.float64)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"size": self.size}
