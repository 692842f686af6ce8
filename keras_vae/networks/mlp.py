"""The multi-layer perceptron."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.utils.arguments import one_line


@keras.saving.register_keras_serializable("keras_vae")
class MLP(keras.Model):
    """Dense layers on flattened features.

    The output layer belongs to the `Encoder` or `Decoder`, which knows the number of parameters of its
    family. Without hidden layers, the conditional distribution is therefore linear in its input.

    Args:
        units: Width of each hidden layer; may be empty.
        activation: The activation of every hidden layer, as in `keras.layers.Dense`.

    Call arguments:
        inputs: `[batch, *features]`.
        condition: Appended to the flattened input, `[batch, size]`; None for none.

    Returns:
        `[batch, units[-1]]`, or the flattened input if there are no hidden layers.

    Example:
        >>> import numpy as np
        >>> MLP([400, 300])(np.zeros([8, 28, 28, 1], "float32")).shape
        TensorShape([8, 300])
    """

    def __init__(self, units: Sequence[int] = (), *, activation: str = "relu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = [int(u) for u in units]
        if any(u < 1 for u in self.units):
            raise ValueError(
                f"MLP: expected units to be positive integers, received {one_line(list(units))}. "
                "Use [400, 400], for example."
            )
        self.activation = activation
        self.flatten = keras.layers.Flatten(dtype=self.dtype_policy)
        self.hidden = [keras.layers.Dense(u, activation=activation, dtype=self.dtype_policy) for u in self.units]

    def build(self, inputs_shape: Sequence[int | None], condition_shape: Sequence[int | None] | None = None) -> None:
        """Create the weights for inputs of this shape."""
        _, size = self.flatten.compute_output_shape(tuple(inputs_shape))
        features = (None, size + (0 if condition_shape is None else condition_shape[-1]))
        for layer in self.hidden:
            layer.build(features)
            features = layer.compute_output_shape(features)

    def call(self, inputs: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """Apply the layers in turn."""
        features = self.flatten(inputs)
        if condition is not None:
            features = keras.ops.concatenate([features, keras.ops.cast(condition, features.dtype)], axis=-1)
        for layer in self.hidden:
            features = layer(features)
        return features

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units, "activation": self.activation}
