"""One step of inverse autoregressive flow."""

from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from keras_vae.flows.base import soft_bound
from keras_vae.flows.made import MADE

# Kingma et al. (2016), section 4, start the gate at sigmoid(1) to sigmoid(2), so that a step starts near the identity.
_GATE_BIAS = 2.0
# Keeps σ within [0.047, 0.9991], so that the inverse is finite.
_GATE_LIMIT = 5.0


class InverseAutoregressive(tfb.Bijector):
    """z' = σ ⊙ z + (1 − σ) ⊙ m, with σ = sigmoid(s) and (m, s) autoregressive in z.

    Kingma et al. (2016), algorithm 1 and equations 12 to 14. The map and its log-determinant Σ_i log σ_i take
    one pass of the network. The inverse takes one pass per element, unless this bijector produced z', which TFP
    caches.

    `tfb.Invert(tfb.MaskedAutoregressiveFlow(...))` is the same map, but its inverse does not broadcast z'
    against the context.

    Args:
        network: A MADE with two outputs per site, m and s, and a context.
        context: h, `[..., context]`.

    Example:
        >>> import tensorflow as tf
        >>> network = MADE(sites=2, outputs_per_site=2, hidden=[8], context_size=1)
        >>> step = InverseAutoregressive(network, tf.zeros([4, 1]))
        >>> step.forward(tf.zeros([10, 4, 2])).shape
        TensorShape([10, 4, 2])
    """

    def __init__(self, network: MADE, context: tf.Tensor, name: str = "inverse_autoregressive") -> None:
        parameters = dict(locals())
        self._network = network
        self._context = context
        super().__init__(forward_min_event_ndims=1, dtype=context.dtype, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        return {}

    def _mean_and_gate(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return m and the logits of σ, each `[..., event]`."""
        m, s = tf.unstack(self._network(z, self._context), axis=-1)
        return m, soft_bound(s, _GATE_LIMIT) + _GATE_BIAS

    def _forward(self, z: tf.Tensor) -> tf.Tensor:
        m, s = self._mean_and_gate(z)
        return tf.sigmoid(s) * z + tf.sigmoid(-s) * m

    def _forward_log_det_jacobian(self, z: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.math.log_sigmoid(self._mean_and_gate(z)[1]), axis=-1)

    def _inverse(self, z: tf.Tensor) -> tf.Tensor:
        # Each pass corrects one more element, and the first one gives the shape after broadcasting.
        def corrected(guess: tf.Tensor) -> tf.Tensor:
            m, s = self._mean_and_gate(guess)
            return (z - tf.sigmoid(-s) * m) / tf.sigmoid(s)

        (found,) = tf.while_loop(
            lambda _: True,
            lambda guess: (corrected(guess),),
            (corrected(tf.zeros_like(z)),),
            maximum_iterations=self._network.sites - 1,
        )
        return found
