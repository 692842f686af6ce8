"""The masked autoregressive network."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.flows.base import read_widths
from keras_vae.utils.arguments import positive_integer
from keras_vae.utils.distributions import density_dtype

# For the last layer's weights: outputs start near zero, so flows start near the identity.
_LAST_STDDEV = 0.01


@keras.saving.register_keras_serializable("keras_vae")
class MADE(keras.layers.Layer):
    """A dense network whose outputs at each site depend only on earlier sites and on a context.

    h = g(b + (W ⊙ M) x), out = c + (V ⊙ M') h + (A ⊙ M'') x (Germain et al. 2015, section 4): each hidden unit
    has a degree m and sees the sites before m; the outputs at site i see the hidden units of degree at most i.
    The direct connections A make an output depend on all earlier sites, even with few hidden units.
    A context vector h enters the first hidden layer and the outputs unmasked.

    All weights are created in the constructor.

    Args:
        sites: D, the number of sites.
        outputs_per_site: The number of values returned for each site.
        hidden: Width of each hidden layer; may be empty.
        inputs_per_site: The number of values of each site: 1, or the number of categories if sites are one-hot.
        context_size: C, the length of the context vector; 0 for none.
        activation: The activation of every hidden layer, as in `keras.layers.Dense`.

    Call arguments:
        inputs: `[..., sites · inputs_per_site]`, sites first.
        context: `[..., context_size]`, its leading axes broadcast against those of the inputs.

    Returns:
        `[..., sites, outputs_per_site]`.

    Raises:
        ValueError: If a size is not a positive integer; or when called without the context that it needs, or with one
            that it does not take.

    Example:
        >>> import tensorflow as tf
        >>> made = MADE(sites=3, outputs_per_site=2, hidden=[8])
        >>> made(tf.zeros([5, 3])).shape
        TensorShape([5, 3, 2])
    """

    def __init__(
        self,
        sites: int,
        *,
        outputs_per_site: int,
        hidden: Sequence[int] = (64,),
        inputs_per_site: int = 1,
        context_size: int = 0,
        activation: str = "elu",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", density_dtype())
        super().__init__(**kwargs)
        self.sites = positive_integer(sites, "MADE: sites")
        self.outputs_per_site = positive_integer(outputs_per_site, "MADE: outputs_per_site")
        self.hidden = read_widths(hidden, "MADE")
        self.inputs_per_site = positive_integer(inputs_per_site, "MADE: inputs_per_site")
        self.context_size = 0 if context_size == 0 else positive_integer(context_size, "MADE: context_size")
        self.activation = keras.activations.get(activation)
        self._make_weights()
        self.built = True

    def _make_weights(self) -> None:
        # Units of degree 0 see only the context; without one they would be constants.
        lowest = 0 if self.context_size or self.sites == 1 else 1
        into = np.repeat(np.arange(self.sites), self.inputs_per_site) + 1  # a unit that sees site i has degree > i
        out = np.repeat(np.arange(self.sites), self.outputs_per_site)
        degrees = [into, *(lowest + np.arange(w) * (self.sites - lowest) // w for w in self.hidden)]
        self._masks = [_mask(a, b) for a, b in zip(degrees, [*degrees[1:], out], strict=True)]
        last = keras.initializers.RandomNormal(stddev=_LAST_STDDEV)
        first = keras.initializers.GlorotUniform()
        self.kernels: list[keras.Variable] = []
        self.biases: list[keras.Variable] = []
        for mask in self._masks:
            initializer = last if len(self.kernels) == len(self.hidden) else first
            number = len(self.kernels)
            self.kernels.append(self.add_weight(mask.shape, initializer.clone(), name=f"kernel_{number}"))
            self.biases.append(self.add_weight(mask.shape[1:], "zeros", name=f"bias_{number}"))
        if self.hidden:
            self._direct_mask = _mask(into, out)
            self.direct = self.add_weight(self._direct_mask.shape, last.clone(), name="direct")
        if self.context_size:
            self.context_out = self.add_weight((self.context_size, len(out)), last.clone(), name="context_out")
            if self.hidden:
                self.context_in = self.add_weight((self.context_size, self.hidden[0]), first.clone(), name="context_in")

    def call(self, inputs: tf.Tensor, context: tf.Tensor | None = None) -> tf.Tensor:
        """Return the outputs, `[..., sites, outputs_per_site]`."""
        if (context is None) != (self.context_size == 0):
            expected = f"a context [..., {self.context_size}]" if self.context_size else "no context"
            raise ValueError(
                f"MADE: expected {expected}, received {'none' if context is None else 'one'}. Set context_size to its "
                "length, or 0 for none."
            )
        features = inputs
        for number in range(len(self.hidden)):
            features = self._masked(features, number)
            if number == 0 and context is not None:
                features = features + tf.tensordot(context, self.context_in, 1)
            features = self.activation(features)
        out = self._masked(features, len(self.hidden))
        if self.hidden:
            out = out + tf.tensordot(inputs, self.direct * self._direct_mask, 1)
        if context is not None:
            out = out + tf.tensordot(context, self.context_out, 1)
        return tf.reshape(out, tf.concat([tf.shape(out)[:-1], [self.sites, self.outputs_per_site]], 0))

    def _masked(self, features: tf.Tensor, number: int) -> tf.Tensor:
        return tf.tensordot(features, self.kernels[number] * self._masks[number], 1) + self.biases[number]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "sites": self.sites,
            "outputs_per_site": self.outputs_per_site,
            "hidden": list(self.hidden),
            "inputs_per_site": self.inputs_per_site,
            "context_size": self.context_size,
            "activation": keras.activations.serialize(self.activation),
        }


def _mask(degrees_in: np.ndarray, degrees_out: np.ndarray) -> np.ndarray:
    """Return 1 where one unit may feed another, because its degree is not larger."""
    return (degrees_in[:, None] <= degrees_out[None, :]).astype(np.float32)
