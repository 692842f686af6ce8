"""The inverse autoregressive flow family, for latents."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from keras_vae.families.base import Parameters
from keras_vae.families.normal_flow import NormalFlow
from keras_vae.flows.base import read_widths, soft_bound
from keras_vae.flows.inverse_autoregressive import InverseAutoregressive
from keras_vae.flows.made import MADE
from keras_vae.utils.arguments import positive_integer

# Far beyond the outputs of a new network. Without it one extreme h sends z, and the next step's m, further out.
_MAX_CONTEXT = 10.0


@keras.saving.register_keras_serializable("keras_vae")
class InverseAutoregressiveFlow(NormalFlow):
    """A normal pushed through steps z ← σ ⊙ z + (1 − σ) ⊙ m, with (m, σ) from masked networks.

    Kingma et al. (2016), algorithm 1 and equations 10 to 14. The encoder outputs the normal's parameters and a
    context h for the networks, whose weights belong to the family. The order of the elements is reversed between steps.
    A sample and its density take one pass of each network; the density of any other z takes D passes. `mean` and
    `scale` are estimates: see `NormalFlow`.

    Args:
        event_shape: D, the number of latents.
        flows: T, the number of steps.
        hidden: Width of each hidden layer of the networks.
        context_size: C, the length of h.

    Raises:
        ValueError: If the event is not a vector, or a size is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> family = InverseAutoregressiveFlow(3, flows=2, hidden=[16], context_size=4)
        >>> family.parameters_shape  # 3 locs, 3 log-variances and the context
        (10,)
        >>> q = family.distribution(family(tf.zeros([5, 10])))
        >>> z, log_prob = q.experimental_sample_and_log_prob(7, seed=tf.constant([0, 1]))
        >>> z.shape, log_prob.shape
        (TensorShape([7, 5, 3]), TensorShape([7, 5]))
    """

    def __init__(
        self,
        event_shape: int | Sequence[int],
        *,
        flows: int = 2,
        hidden: Sequence[int] = (64,),
        context_size: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(event_shape, flows=flows, **kwargs)
        self.hidden = read_widths(hidden, "InverseAutoregressiveFlow")
        self.context_size = positive_integer(context_size, "InverseAutoregressiveFlow: context_size")
        self.networks = [
            MADE(
                self.size,
                outputs_per_site=2,
                hidden=self.hidden,
                context_size=self.context_size,
                dtype=self.dtype_policy,
            )
            for _ in range(self.flows)
        ]

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """`(2D + C,)`: locs, log-variances and the context."""
        return (2 * self.size + self.context_size,)

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return `loc` and `scale`, each `[..., D]`, and `context`, `[..., C]`, within ±10."""
        base, context = tf.split(unconstrained, [2 * self.size, self.context_size], axis=-1)
        return {**self.base(base), "context": soft_bound(context, _MAX_CONTEXT)}

    def bijector(self, parameters: Parameters) -> tfb.Bijector:
        """Return the steps in a chain."""
        steps: list[tfb.Bijector] = []
        for network in self.networks:
            if steps:
                steps.append(tfb.Permute(list(reversed(range(self.size)))))
            steps.append(InverseAutoregressive(network, parameters["context"]))
        return tfb.Chain(steps[::-1])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "hidden": list(self.hidden), "context_size": self.context_size}
