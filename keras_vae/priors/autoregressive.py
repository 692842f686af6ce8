"""The autoregressive prior."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family
from keras_vae.flows.base import read_widths
from keras_vae.flows.made import MADE
from keras_vae.priors.base import Posterior, Prior
from keras_vae.priors.site_by_site import SiteBySite
from keras_vae.utils.arguments import one_line
from keras_vae.utils.distributions import factors


@keras.saving.register_keras_serializable("keras_vae")
class Autoregressive(Prior):
    """p(z) = Π_i p(z_i | z_<i), with all factors of one family and their parameters from a masked network.

    The network is MADE (Germain et al. 2015, section 4). The sites are the family's independent elements, such as those
    of `Normal` and `Bernoulli`, or its independent one-hot vectors. A density takes one pass through the network, and a
    sample one pass per site.

    Args:
        family: The family of each factor, which also defines the event's shape and support.
        hidden: Width of each hidden layer of the network.

    Raises:
        ValueError: If `family` is not a family of independent elements or one-hot vectors, or a width is not a
            positive integer.

    Example:
        >>> import tensorflow as tf
        >>> from keras_vae.families.bernoulli import Bernoulli
        >>> prior = Autoregressive(Bernoulli(3), hidden=[16])
        >>> prior.distribution().log_prob(tf.zeros([5, 3])).shape
        TensorShape([5])
    """

    def __init__(self, family: Family, hidden: Sequence[int] = (64,), **kwargs: Any) -> None:
        if not isinstance(family, Family):
            raise ValueError(
                f"Autoregressive: family: expected a keras_vae.families.Family, received {one_line(family)}. Use "
                "keras_vae.families.Normal(20), for example."
            )
        super().__init__(family.event_shape, **kwargs)
        self.family = family
        self.support = family.support
        self.hidden = read_widths(hidden, "Autoregressive")
        if not family.built:
            family.build((None, *family.parameters_shape))
        example = family.distribution(family(tf.zeros(family.parameters_shape, family.variable_dtype)))
        self.reparameterization_type = example.reparameterization_type
        self.sites_shape = _sites_shape(family, example)
        sites = math.prod(self.sites_shape)
        self.network = MADE(
            sites,
            outputs_per_site=math.prod(family.parameters_shape) // sites,
            hidden=self.hidden,
            inputs_per_site=math.prod(family.event_shape) // sites,
            dtype=self.dtype_policy,
        )

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return the product of the factors."""
        return SiteBySite(
            self._conditionals, self.event_shape, self.sites_shape, self.variable_dtype, self.reparameterization_type
        )

    def _conditionals(self, z: tf.Tensor) -> tfd.Distribution:
        leading = tf.shape(z)[: z.shape.rank - len(self.event_shape)]
        flat = tf.reshape(z, tf.concat([leading, [math.prod(self.event_shape)]], 0))
        values = tf.reshape(self.network(flat), tf.concat([leading, self.family.parameters_shape], 0))
        return self.family.distribution(self.family(values))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = {
            **super().get_config(),
            "family": keras.saving.serialize_keras_object(self.family),
            "hidden": list(self.hidden),
        }
        del config["event_shape"]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Autoregressive":
        """Rebuild from `get_config`."""
        return cls(**{**config, "family": keras.saving.deserialize_keras_object(config["family"])})


def _sites_shape(family: Family, example: tfd.Distribution) -> tuple[int, ...]:
    """Return the shape of the family's independent sites."""
    elements = factors(example)
    if elements is not None:
        values_axes = elements.event_shape.rank
        sites_shape = family.event_shape[: len(family.event_shape) - values_axes]
        independent = values_axes == 0 or (values_axes == 1 and family.support.name == "one-hot")
        if independent and family.parameters_shape[: len(sites_shape)] == sites_shape:
            return sites_shape
    raise ValueError(
        "Autoregressive: family: expected independent elements or one-hot vectors, each with its own parameters, "
        f"received {type(family).__name__} with event shape {family.event_shape} and parameters shape "
        f"{family.parameters_shape}. Use keras_vae.families.Normal or OneHotCategorical, for example."
    )
