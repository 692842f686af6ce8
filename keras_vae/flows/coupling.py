"""The network of an affine coupling layer."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.flows.base import read_widths, soft_bound
from keras_vae.utils.arguments import positive_integer
from keras_vae.utils.distributions import density_dtype


@keras.saving.register_keras_serializable("keras_vae")
class Coupling(keras.layers.Layer):
    """Shift t and log-scale s of one part of a vector, from the other part (Dinh et al. 2017, equation 5).

    The log-scale is bounded by tanh. Both start near zero, so the coupling starts near the identity.
    All weights are created in the constructor.

    Args:
        kept: d, the number of elements that it sees.
        moved: D − d, the number of elements that it shifts and scales.
        hidden: Width of each hidden layer.

    Call arguments:
        inputs: The kept part, `[..., kept]`.

    Returns:
        Shift and log-scale, each `[..., moved]`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> shift, log_scale = Coupling(kept=1, moved=2, hidden=[8])(tf.zeros([5, 1]))
        >>> shift.shape, log_scale.shape
        (TensorShape([5, 2]), TensorShape([5, 2]))
    """

    def __init__(self, kept: int, *, moved: int, hidden: Sequence[int] = (64,), **kwargs: Any) -> None:
        kwargs.setdefault("dtype", density_dtype())
        super().__init__(**kwargs)
        self.kept = positive_integer(kept, "Coupling: kept")
        self.moved = positive_integer(moved, "Coupling: moved")
        self.hidden = read_widths(hidden, "Coupling")
        self.layers = [keras.layers.Dense(width, activation="elu", dtype=self.dtype_policy) for width in self.hidden]
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.layers.append(keras.layers.Dense(2 * self.moved, kernel_initializer=small, dtype=self.dtype_policy))
        for layer, width in zip(self.layers, [self.kept, *self.hidden], strict=True):
            layer.build((None, width))
        self.built = True

    def call(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return shift and log-scale, each `[..., moved]`."""
        features = inputs
        for layer in self.layers:
            # Not through the layer itself, which does not take a single vector.
            features = tf.tensordot(features, layer.kernel, 1) + layer.bias
            features = layer.activation(features)
        shift, log_scale = tf.split(features, 2, axis=-1)
        return shift, soft_bound(log_scale)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "kept": self.kept, "moved": self.moved, "hidden": list(self.hidden)}
