"""A convolutional encoder network, similar to DCGAN's discriminator."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_vae")
class ConvEncoder(keras.Model):
    """Strided convolutions that halve the image at each layer, then a dense layer.

    After Radford, Metz & Chintala (2016): strides instead of pooling, and leaky ReLU. Unlike that paper, no
    batch normalization: an example's bound must not depend on the other examples in its batch.

    Args:
        filters: Channels of each convolution.
        units: Width of the dense layer after them.

    Call arguments:
        inputs: Images, `[batch, height, width, channels]`.

    Returns:
        `[batch, units]`.

    Example:
        >>> import numpy as np
        >>> ConvEncoder([16, 32], units=64)(np.zeros([8, 28, 28, 1], "float32")).shape
        TensorShape([8, 64])
    """

    def __init__(self, filters: Sequence[int] = (32, 64), *, units: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = [int(f) for f in filters]
        self.units = int(units)
        self.convolutions = [
            keras.layers.Conv2D(f, 4, strides=2, padding="same", activation="leaky_relu", dtype=self.dtype_policy)
            for f in self.filters
        ]
        self.flatten = keras.layers.Flatten(dtype=self.dtype_policy)
        self.dense = keras.layers.Dense(self.units, activation="leaky_relu", dtype=self.dtype_policy)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights for images of this shape.

        Raises:
            ValueError: If the input is not a batch of images.
        """
        shape = tuple(input_shape)
        if len(shape) != 4:
            raise ValueError(
                f"ConvEncoder: expected images, [batch, height, width, channels], received shape {shape}. Use MLP for "
                "other data."
            )
        for layer in self.convolutions:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.dense.build(self.flatten.compute_output_shape(shape))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Apply the layers in turn."""
        features = inputs
        for layer in self.convolutions:
            features = layer(features)
        return self.dense(self.flatten(features))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "filters": self.filters, "units": self.units}
