"""The masked autoregressive flow prior."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from keras_vae.flows.base import read_widths, soft_bound, vector_size
from keras_vae.flows.made import MADE
from keras_vae.priors.base import Posterior, Prior
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class MaskedAutoregressiveFlow(Prior):
    """A standard normal transformed by steps z_i = u_i exp(α_i) + μ_i, with (μ_i, α_i) functions of z_<i.

    Papamakarios, Pavlakou & Murray (2017), equations 3 to 5, with α bounded by tanh and the order of the elements
    reversed between steps. A density takes one pass through each network, and a sample D passes.

    Args:
        event_shape: D, the number of latents.
        flows: Number of steps.
        hidden: Width of each hidden layer of the networks.

    Raises:
        ValueError: If the event is not a vector, or a size is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> prior = MaskedAutoregressiveFlow(3, flows=2, hidden=[16])
        >>> prior.distribution().log_prob(tf.zeros([5, 3])).shape
        TensorShape([5])
    """

    def __init__(
        self, event_shape: int | Sequence[int], flows: int = 2, hidden: Sequence[int] = (64,), **kwargs: Any
    ) -> None:
        super().__init__(event_shape, **kwargs)
        self.size = vector_size(self.event_shape, "MaskedAutoregressiveFlow")
        self.flows = positive_integer(flows, "MaskedAutoregressiveFlow: flows")
        self.hidden = read_widths(hidden, "MaskedAutoregressiveFlow")
        self.networks = [
            MADE(self.size, outputs_per_site=2, hidden=self.hidden, dtype=self.dtype_policy) for _ in range(self.flows)
        ]

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return the distribution of the transformed normal."""
        steps: list[tfb.Bijector] = []
        for network in self.networks:
            if steps:
                steps.append(tfb.Permute(list(reversed(range(self.size)))))
            steps.append(tfb.MaskedAutoregressiveFlow(_shift_and_log_scale(network)))
        zeros = tf.zeros(self.event_shape, self.variable_dtype)
        return tfd.TransformedDistribution(
            tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), 1), tfb.Chain(steps[::-1])
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "flows": self.flows, "hidden": list(self.hidden)}


def _shift_and_log_scale(network: MADE) -> Any:
    def of(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shift, log_scale = tf.unstack(network(z), axis=-1)
        return shift, soft_bound(log_scale)

    return of
