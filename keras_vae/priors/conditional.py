"""A prior that depends on the condition."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.encoder_decoder import Conditional
from keras_vae.families.base import Family
from keras_vae.priors.base import Posterior, Prior


@keras.saving.register_keras_serializable("keras_vae")
class ConditionalPrior(Prior):
    """p(z|y): a network on the condition and a family over z (Sohn, Lee & Yan 2015, section 4.1).

    Args:
        network: A Keras model on `[batch, condition]`.
        family: The family over latents, such as `keras_vae.families.Normal(20)`.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.VAE(
        ...     encoder=kv.Encoder(kv.networks.MLP([32]), kv.families.Normal(2)),
        ...     decoder=kv.Decoder(kv.networks.MLP([32]), kv.families.Bernoulli((8,))),
        ...     prior=kv.ConditionalPrior(kv.networks.MLP([16]), kv.families.Normal(2)),
        ...     condition=kv.conditions.Label(3),
        ... )
        >>> vae.sample(4, seed=7, condition=2).shape
        TensorShape([4, 8])
    """

    conditional = True

    def __init__(self, network: keras.layers.Layer, family: Family, **kwargs: Any) -> None:
        if isinstance(network, dict):
            network, family = (keras.saving.deserialize_keras_object(part) for part in (network, family))
        layer = Conditional(network, family)
        super().__init__(family.event_shape, **kwargs)
        self.layer = layer
        self.support = family.support

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Create the weights for conditions of this shape, `[batch, size]`."""
        if input_shape is not None:
            self.layer.build(tuple(input_shape))

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return p(z|y), batch shape `[...]`, for y `[..., condition]`."""
        if condition is None:
            raise ValueError("ConditionalPrior: condition: expected a tensor, received None. Pass the condition.")
        return self.layer.distribution(condition, training=training)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["event_shape"]
        return {
            **config,
            "network": keras.saving.serialize_keras_object(self.layer.network),
            "family": keras.saving.serialize_keras_object(self.layer.family),
        }
