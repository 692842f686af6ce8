"""The base class of families: unconstrained tensors in, a TFP distribution over one event out."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.support import Support
from keras_vae.utils.arguments import as_shape
from keras_vae.utils.distributions import density_dtype, factors

Parameters = dict[str, tf.Tensor]


class Family(keras.layers.Layer):
    """A parametric family of distributions over one event.

    A family is a Keras layer, so that it may own weights, such as one learned scale. `call` applies the link functions
    to unconstrained values and returns named parameters as tensors, which Keras can pass on. `distribution` turns
    these into a TFP distribution. Both compute in float32 (float64 if variables are float64) for any compute dtype of
    the networks, because densities need the precision.

    A subclass sets `support` and `parameters_per_element` and defines `call` and `distribution`; the page "Your own
    likelihood, prior, objective" (`docs/your_own_parts.md`) shows one. `keras_vae.testing.check_family` tests it.

    Args:
        event_shape: Shape of one event, without batch axes: an integer or a sequence of integers.

    Attributes:
        support: The values that have probability, such as `keras_vae.families.REAL`.
        parameters_per_element: How many unconstrained values the network makes for each element of an event.
        preprocessing: What `keras_vae.data.load` may do to 8-bit images to make values in the support, names of
            `keras_vae.data.PREPROCESSING`; the first is the default. Empty if images have no probability.
    """

    support: Support
    preprocessing: tuple[str, ...] = ()
    parameters_per_element: int
    # Whether training may draw from a continuous relaxation instead of the distribution itself.
    relaxed: bool = False
    # Whether log q(z) is discontinuous in z: its gradient along a sample's path then misses the jumps.
    jumps: bool = False

    def __init__(self, event_shape: int | Sequence[int], **kwargs: Any) -> None:
        kwargs.setdefault("dtype", density_dtype())
        super().__init__(**kwargs)
        self.event_shape = as_shape(event_shape, type(self).__name__)

    @classmethod
    def likelihood(cls, event_shape: int | Sequence[int], **options: Any) -> "Family":
        """Make the family as a likelihood of data; `keras_vae.models.vae` calls it when given a name or a class.

        Args:
            event_shape: Shape of one x.
            options: Other arguments of the constructor.
        """
        return cls(event_shape, **options)

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
        """Return one representative value, `[..., *event]`: the mean, or a mode if discrete."""
        return self.mean(parameters)

    def encoder_input(self, x: tf.Tensor) -> tf.Tensor:
        """Return x as the encoder of a model with this likelihood receives it, `[..., *event]`: here, unchanged."""
        return x

    def reported(self, parameters: Parameters) -> Parameters:
        """Return the parameters that `VAE.decode` and its served signature report, in the units of an event."""
        return parameters

    def moved(self, parameters: Parameters, offset: tf.Tensor, unit: tf.Tensor) -> Parameters | None:
        """Return the parameters of offset + unit · event, or None if that is not of this family.

        Args:
            parameters: From `call`.
            offset: `[*event]`.
            unit: `[*event]`, positive.
        """
        return None

    def log_prob_by_part(self, distribution: tfd.Distribution, x: tf.Tensor) -> tf.Tensor:
        """Return the log-probability of each independent part of an event, in nats.

        A family whose elements are independent inherits it. One whose parts are larger than an element, such as a pixel
        with its channels, overrides it.

        Args:
            distribution: From `distribution`, batch shape `[...]`.
            x: `[..., *event]`.

        Returns:
            `[..., *parts]`: an event's shape, without the trailing axes that belong together.

        Raises:
            ValueError: If the family does not factorize.

        Example:
            >>> import keras_vae as kv
            >>> pair = kv.families.Normal(2, scale=1.0)
            >>> log_probs = pair.log_prob_by_part(pair.distribution(pair(tf.zeros([2, 1]))), tf.constant([0.0, 1.0]))
            >>> log_probs.numpy().round(4).tolist()
            [-0.9189000129699707, -1.4189000129699707]
        """
        elements = factors(distribution)
        if elements is None:
            raise ValueError(
                f"{type(self).__name__}: expected a family that factorizes, such as keras_vae.families.Bernoulli, "
                "received one that does not. Override log_prob_by_part."
            )
        return elements.log_prob(x)

    def joint_axes(self) -> int:
        """Return how many trailing axes of an event belong together; its parts are independent of each other.

        Raises:
            ValueError: If the family does not factorize.

        Example:
            >>> import keras_vae as kv
            >>> kv.families.Bernoulli((28, 28, 1)).joint_axes()
            0
            >>> kv.families.DiscretizedLogisticMixture((28, 28, 3)).joint_axes()
            1
        """
        distribution = self.distribution(self(tf.zeros(self.parameters_shape, self.variable_dtype)))
        event = tf.zeros(self.event_shape, self.variable_dtype)
        return len(self.event_shape) - self.log_prob_by_part(distribution, event).shape.rank

    def relaxed_sample(self, parameters: Parameters, num_samples: int, seed: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Draw from the relaxation, with gradients.

        Args:
            parameters: Each `[..., *event]`.
            num_samples: The number of samples.
            seed: A stateless seed, `[2]` int32.
            step: The number of training steps taken, for a temperature that follows a schedule.

        Returns:
            `[num_samples, ..., *event]`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no relaxation")

    def independent(self, elementwise: tfd.Distribution) -> tfd.Independent:
        """Return an element-wise distribution with the event's axes read as one event."""
        return tfd.Independent(elementwise, reinterpreted_batch_ndims=len(self.event_shape))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "event_shape": list(self.event_shape)}
