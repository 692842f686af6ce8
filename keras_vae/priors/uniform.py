"""The uniform prior over bounded latents."""

from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family
from keras_vae.priors.base import Posterior, Prior
from keras_vae.utils.arguments import one_line


@keras.saving.register_keras_serializable("keras_vae")
class Uniform(Prior):
    """The uniform distribution over a family's support: uniform categories, fair coins, a constant density.

    As in Jang, Gu & Poole (2017), section 2 (uniform categorical), and Mnih & Gregor (2014) (fair Bernoulli).

    Args:
        family: A family of bounded latents, such as `keras_vae.families.OneHotCategorical((20, 10))`.

    Raises:
        ValueError: If the family's support is unbounded.

    Example:
        >>> import keras_vae as kv
        >>> prior = Uniform(kv.families.Bernoulli(3))
        >>> round(float(prior.distribution().log_prob([0.0, 1.0, 1.0])), 4)  # −3 log 2, in nats
        -2.0794
    """

    def __init__(self, family: Family, **kwargs: Any) -> None:
        if isinstance(family, dict):
            family = keras.saving.deserialize_keras_object(family)
        if not isinstance(family, Family):
            raise TypeError(
                f"Uniform: family: expected a keras_vae.families.Family, received {one_line(family)}. Use "
                "keras_vae.families.Bernoulli(20), for example."
            )
        if not family.support.bounded:
            raise ValueError(
                f"Uniform: family: expected one with bounded support, received {type(family).__name__}. Use "
                "StandardNormal or Learned."
            )
        super().__init__(family.event_shape, **kwargs)
        self.family = family
        self.support = family.support

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return the family's distribution with all unconstrained values zero."""
        return self.family.distribution(self.family(tf.zeros(self.family.parameters_shape, self.variable_dtype)))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["event_shape"]
        return {**config, "family": keras.saving.serialize_keras_object(self.family)}
