"""What all families share: unconstrained tensors in, a TFP distribution over one event out."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.support import Support
from keras_vae.utils.arguments import as_shape
from keras_vae.utils.distributions import density_dtype

Parameters = dict[str, tf.Tensor]


class Family(keras.layers.Layer):
    """A parametric family of distributions over one event.

    A family is a Keras layer, so that it may own weights (one learned scale, say). `call` applies the link
    functions to unconstrained values and returns named parameters as tensors, which travel through Keras;
    `distribution` turns these into a TFP distribution. Both compute in float32 (float64 where
    variables are float64), whatever the compute dtype of the networks, because densities need the precision.

    Args:
        event_shape: Shape of one event, without batch axes: an integer or a sequence of integers.
    """

    support: Support
    parameters_per_element: int
    # Whether training may draw from a continuous relaxation in place of the distribution itself.
    relaxed: bool = False
    # Whether log q(z) jumps as z moves: its gradient along a sample's path then misses what the jumps add to its mean.
    jumps: bool = False

    def __init__(self, event_shape: int | Sequence[int], **kwargs: Any) -> None:
        kwargs.setdefault("dtype", density_dtype())
        super().__init__(**kwargs)
        self.event_shape = as_shape(event_shape, type(self).__name__)

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """Shape of the unconstrained values of one event: `[*event, parameters]`."""
        return (*self.event_shape, self.parameters_per_element)

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Apply the link functions.

        Args:
            unconstrained: Real values, `[..., *event, parameters]`.

        Returns:
            Named parameters, each `[..., *event]` or broadcastable to it.
        """
        raise NotImplementedError

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the TFP distribution: batch shape `[...]`, event shape `event_shape`."""
        raise NotImplementedError

    def mean(self, parameters: Parameters) -> tf.Tensor:
        """Return the mean, `[..., *event]`."""
        return self.distribution(parameters).mean()

    def scale(self, parameters: Parameters) -> tf.Tensor:
        """Return the standard deviation of each element, `[..., *event]`."""
        return self.distribution(parameters).stddev()

    def point(self, parameters: Parameters) -> tf.Tensor:
        """Return the one value that stands for the distribution, `[..., *event]`: its mean, or a mode if discrete."""
        return self.mean(parameters)

    def relaxed_sample(self, parameters: Parameters, num_samples: int, seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Draw from the relaxation, with gradients.

        Args:
            parameters: Each `[..., *event]`.
            num_samples: How many.
            seed: A stateless seed, `[2]` int32.
            step: Training steps taken, for a temperature that changes with them.

        Returns:
            `[num_samples, ..., *event]`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no relaxation")

    def independent(self, elementwise: tfd.Distribution) -> tfd.Independent:
        """Read the event's axes of an element-wise distribution as one event."""
        return tfd.Independent(elementwise, reinterpreted_batch_ndims=len(self.event_shape))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "event_shape": list(self.event_shape)}
