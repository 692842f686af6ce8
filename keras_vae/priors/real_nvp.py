"""The real NVP prior."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from keras_vae.flows.base import read_widths, vector_size
from keras_vae.flows.coupling import Coupling
from keras_vae.priors.base import Posterior, Prior
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class RealNVP(Prior):
    """A standard normal transformed by affine couplings of one half of the elements with the other.

    z'_kept = z_kept and z'_moved = z_moved ⊙ exp(s(z_kept)) + t(z_kept): Dinh, Sohl-Dickstein & Bengio (2017),
    equations 4 to 8, with s bounded by tanh and the halves swapped between couplings. Densities and samples
    both take one pass through each network.

    Args:
        event_shape: D, the number of latents, at least 2.
        flows: Number of couplings; two transform every element once.
        hidden: Width of each hidden layer of the networks.

    Raises:
        ValueError: If the event is not a vector of at least 2 elements, or a size is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> prior = RealNVP(3, flows=2, hidden=[16])
        >>> prior.distribution().sample(5, seed=tf.constant([0, 1])).shape
        TensorShape([5, 3])
    """

    def __init__(
        self, event_shape: int | Sequence[int], flows: int = 4, hidden: Sequence[int] = (64,), **kwargs: Any
    ) -> None:
        super().__init__(event_shape, **kwargs)
        self.size = vector_size(self.event_shape, "RealNVP")
        if self.size < 2:
            raise ValueError(
                f"RealNVP: event_shape: expected at least 2, received {self.size}. Use "
                "keras_vae.priors.MaskedAutoregressiveFlow for one latent."
            )
        self.flows = positive_integer(flows, "RealNVP: flows")
        self.hidden = read_widths(hidden, "RealNVP")
        # TFP's convention: a positive count keeps the first elements, a negative one the last.
        half = self.size // 2
        self.kept = [-(self.size - half) if k % 2 else half for k in range(self.flows)]
        self.networks = [
            Coupling(abs(kept), moved=self.size - abs(kept), hidden=self.hidden, dtype=self.dtype_policy)
            for kept in self.kept
        ]

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return the distribution of the transformed normal."""
        couplings = [
            tfb.RealNVP(num_masked=kept, shift_and_log_scale_fn=_shift_and_log_scale(network))
            for kept, network in zip(self.kept, self.networks, strict=True)
        ]
        zeros = tf.zeros(self.event_shape, self.variable_dtype)
        return tfd.TransformedDistribution(
            tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), 1), tfb.Chain(couplings[::-1])
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "flows": self.flows, "hidden": list(self.hidden)}


def _shift_and_log_scale(network: Coupling) -> Any:
    def of(kept: tf.Tensor, moved_size: int) -> tuple[tf.Tensor, tf.Tensor]:
        return network(kept)

    return of
