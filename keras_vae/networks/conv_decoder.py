"""A convolutional decoder network, similar to DCGAN's generator."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_vae")
class ConvDecoder(keras.Model):
    """A dense layer, then transposed convolutions that double the image at each layer.

    After Radford, Metz & Chintala (2016), without batch normalization (see `ConvEncoder`). Images whose sizes are not
    multiples of 2^layers are made slightly too large and cropped.

    Args:
        image_size: Height and width of the images.
        filters: Channels of each transposed convolution.
        units: Width of the dense layer before them.

    Call arguments:
        inputs: `[batch, *features]`.

    Returns:
        A feature map, `[batch, height, width, filters[-1]]`; the `Decoder` adds the last convolution.

    Example:
        >>> import numpy as np
        >>> ConvDecoder((28, 28), [32, 16])(np.zeros([8, 20], "float32")).shape
        TensorShape([8, 28, 28, 16])
    """

    def __init__(
        self, image_size: Sequence[int], filters: Sequence[int] = (64, 32), *, units: int = 256, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.image_size = [int(s) for s in image_size]
        self.filters = [int(f) for f in filters]
        self.units = int(units)
        if len(self.image_size) != 2 or min(self.image_size) < 1 or not self.filters:
            raise ValueError(
                "ConvDecoder: expected image_size of two positive integers and at least one of filters, received "
                f"image_size={list(image_size)!r}, filters={list(filters)!r}. Use ConvDecoder((28, 28), [64, 32])."
            )
        self.base = [math.ceil(s / 2 ** len(self.filters)) for s in self.image_size]
        self.flatten = keras.layers.Flatten(dtype=self.dtype_policy)
        self.dense = keras.layers.Dense(self.units, activation="relu", dtype=self.dtype_policy)
        self.project = keras.layers.Dense(
            math.prod(self.base) * self.filters[0], activation="relu", dtype=self.dtype_policy
        )
        self.fold = keras.layers.Reshape((*self.base, self.filters[0]), dtype=self.dtype_policy)
        self.convolutions = [
            keras.layers.Conv2DTranspose(f, 4, strides=2, padding="same", activation="relu", dtype=self.dtype_policy)
            for f in self.filters
        ]

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights for features of this shape."""
        shape = self.flatten.compute_output_shape(tuple(input_shape))
        self.dense.build(shape)
        self.project.build((None, self.units))
        shape = (None, *self.base, self.filters[0])
        for layer in self.convolutions:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Apply the layers in turn."""
        features = self.fold(self.project(self.dense(self.flatten(inputs))))
        for layer in self.convolutions:
            features = layer(features)
        height, width = self.image_size
        return features[:, :height, :width, :]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "filters": self.filters,
            "units": self.units,
        }
