"""The VampPrior."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family
from keras_vae.families.support import Support
from keras_vae.priors.base import Posterior, Prior
from keras_vae.utils.arguments import as_shape, one_line, positive_integer

# Distance of initial pseudo-inputs from 0 and 1, so that the sigmoid has a gradient.
_EDGE = 0.01


@keras.saving.register_keras_serializable("keras_vae")
class VampPrior(Prior):
    """p(z) = 1/K Σ_k q(z|u_k), a mixture of the posteriors of K learned pseudo-inputs.

    Tomczak & Welling (2018), equation 9. Pseudo-inputs of bounded data are sigmoids of the weights; the paper clips
    them instead, which stops the gradient at the bounds.

    Args:
        posterior: The posterior's family (for its shape and support), such as `keras_vae.families.Normal(20)`.
        input_shape: Shape of one x.
        components: K, the number of pseudo-inputs.
        bounded: Whether x is in [0, 1].
        initial: Training examples as initial pseudo-inputs, `[components, *input_shape]`, as the paper recommends for
            images. Random by default. Pseudo-inputs are in the encoder's units: with the likelihood
            `keras_vae.families.Standardized` pass `likelihood.encoder_input(x)`.

    Raises:
        ValueError: If a shape or a number is invalid.

    Example:
        >>> import keras_vae as kv
        >>> family = kv.families.Normal(20)
        >>> prior = VampPrior(family, (28, 28, 1), components=50)
        >>> prior.pseudo_inputs().shape
        TensorShape([50, 28, 28, 1])
    """

    made_of_posteriors = True

    def __init__(
        self,
        posterior: Family,
        input_shape: int | Sequence[int],
        components: int = 500,
        bounded: bool = True,
        initial: Any = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(posterior, dict):  # from a config
            posterior = keras.saving.deserialize_keras_object(posterior)
        if not isinstance(posterior, Family):
            raise TypeError(
                f"VampPrior: posterior: expected a keras_vae.families.Family, received {one_line(posterior)}. Use the "
                "encoder's family."
            )
        super().__init__(posterior.event_shape, **kwargs)
        self.support: Support = posterior.support
        self.family_config = keras.saving.serialize_keras_object(posterior)
        self.inputs_shape = as_shape(input_shape, "VampPrior: input_shape")
        self.components = positive_integer(components, "VampPrior: components")
        self.bounded = bool(bounded)
        self.values = self.add_weight(
            shape=(self.components, *self.inputs_shape),
            initializer=keras.initializers.RandomNormal(mean=-1.0 if bounded else 0.0, stddev=0.5),
            name="pseudo_inputs",
        )
        if initial is not None:
            self._start_from(np.asarray(initial, np.float64))

    def _start_from(self, initial: np.ndarray) -> None:
        expected = (self.components, *self.inputs_shape)
        if initial.shape != expected:
            raise ValueError(
                f"VampPrior: initial: expected shape {expected}, received {initial.shape}. Pass one x per component."
            )
        if not np.all(np.isfinite(initial)) or (self.bounded and (initial.min() < 0 or initial.max() > 1)):
            raise ValueError(
                f"VampPrior: initial: expected {'values in [0, 1]' if self.bounded else 'finite values'}, received "
                f"values from {initial.min():g} to {initial.max():g}. Divide 8-bit pixels by 255, or use bounded=False."
            )
        if self.bounded:
            inside = np.clip(initial, _EDGE, 1 - _EDGE)
            initial = np.log(inside / (1 - inside))
        self.values.assign(initial)

    def pseudo_inputs(self) -> tf.Tensor:
        """Return u, `[components, *input_shape]`."""
        values = tf.convert_to_tensor(self.values)
        return tf.sigmoid(values) if self.bounded else values

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return the mixture of the posteriors, given y in a conditional model."""
        if posterior is None:
            raise ValueError("VampPrior: posterior: expected a function from x to q(z|x), received None. Pass one.")
        components = posterior(self.pseudo_inputs())
        logits = tf.zeros(components.batch_shape[-1:], self.variable_dtype)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=logits), components)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the pseudo-inputs are weights."""
        config = super().get_config()
        del config["event_shape"]
        return {
            **config,
            "posterior": self.family_config,
            "input_shape": list(self.inputs_shape),
            "components": self.components,
            "bounded": self.bounded,
        }
