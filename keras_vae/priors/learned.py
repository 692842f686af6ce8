"""A prior whose parameters are learned."""

from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family
from keras_vae.priors.base import Posterior, Prior
from keras_vae.utils.arguments import one_line


@keras.saving.register_keras_serializable("keras_vae")
class Learned(Prior):
    """A family whose parameters are weights: a learned normal, a mixture of normals, and so on.

    The mixture prior is the "MoG" of Tomczak & Welling (2018), section 3.3; the piecewise-constant prior is that of
    Serban et al. (2017).

    Args:
        family: A family, such as `keras_vae.families.Normal(20)` or `NormalMixture(20, components=10)`.
        initializer: Initializer of the unconstrained values. Random by default, because identical components would stay
            identical.

    Raises:
        TypeError: If `family` is not a family.

    Example:
        >>> import keras_vae as kv
        >>> prior = Learned(kv.families.NormalMixture(2, components=3))
        >>> prior.distribution().sample(5, seed=[1, 2]).shape
        TensorShape([5, 2])
    """

    def __init__(self, family: Family, initializer: Any = None, **kwargs: Any) -> None:
        if isinstance(family, dict):
            family = keras.saving.deserialize_keras_object(family)
        if not isinstance(family, Family):
            raise TypeError(
                f"Learned: family: expected a keras_vae.families.Family, received {one_line(family)}. Use "
                "keras_vae.families.Normal(20), for example."
            )
        super().__init__(family.event_shape, **kwargs)
        self.family = family
        self.support = family.support
        given = keras.initializers.RandomNormal(stddev=0.5) if initializer is None else initializer
        self.initializer = keras.initializers.get(given)
        self.values = self.add_weight(shape=family.parameters_shape, initializer=self.initializer, name="values")

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return the family's distribution with the weights as its unconstrained values."""
        return self.family.distribution(self.family(tf.convert_to_tensor(self.values)))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["event_shape"]
        return {
            **config,
            "family": keras.saving.serialize_keras_object(self.family),
            "initializer": keras.initializers.serialize(self.initializer),
        }
