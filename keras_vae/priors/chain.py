"""A chain of priors over groups of latents."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.encoder_decoder import Decoder
from keras_vae.families.support import Support
from keras_vae.priors.base import Posterior, Prior


@keras.saving.register_keras_serializable("keras_vae")
class Chain(Prior):
    """p(z) = p(z_L) p(z_{L-1}|z_L) ... p(z_1|z_2): a prior over the first group, and a decoder to each other.

    Burda, Grosse & Salakhutdinov (2016), equation 3. The model's decoder is given the last group.

    Args:
        links: By the groups' names, in the order in which the prior draws them: first a `Prior`, then for each other
            group a `keras_vae.Decoder` from the group before it to this one.

    Raises:
        TypeError: If a link is of the wrong type.
        ValueError: If there are fewer than two links, or the first prior is made of posteriors.

    Example:
        >>> import keras_vae as kv
        >>> prior = kv.priors.Chain(
        ...     {
        ...         "z2": kv.priors.StandardNormal(10),
        ...         "z1": kv.Decoder(kv.networks.MLP([32]), kv.families.Normal(20)),
        ...     }
        ... )
        >>> prior.shapes
        {'z2': (10,), 'z1': (20,)}
    """

    def __init__(self, links: Mapping[str, Prior | Decoder], **kwargs: Any) -> None:
        links = dict(links)
        if len(links) < 2:
            raise ValueError(
                f"priors.Chain: too few links: expected two or more, received {len(links)}. For one group, use the "
                "prior itself."
            )
        for place, (name, link) in enumerate(links.items()):
            if not isinstance(link, Decoder if place else Prior):
                expected = "a keras_vae.Decoder" if place else "a keras_vae.priors.Prior"
                raise TypeError(
                    f"priors.Chain: link {name!r} has the wrong type: expected {expected}, received {link!r}."
                )
        first = next(iter(links.values()))
        if first.made_of_posteriors:
            raise ValueError(
                f"priors.Chain: {type(first).__name__} is made of posteriors of x, and the first group of a chain has "
                "none that depends on x alone. Use StandardNormal, Learned or a flow."
            )
        super().__init__(first.event_shape, **kwargs)
        self.links: dict[str, Any] = links
        self.conditional = first.conditional
        self.built = False

    @property
    def groups(self) -> Sequence[str]:
        """The names of the groups, in the order in which the prior draws them."""
        return list(self.links)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one latent of each group."""
        return {name: _values(link).event_shape for name, link in self.links.items()}

    @property
    def supports(self) -> dict[str, Support]:
        """The values that each group may have."""
        return {name: _values(link).support for name, link in self.links.items()}

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The links, as `keras.Model.summary` shows them."""
        return list(self.links.values())

    @property
    def decoder_input_shape(self) -> tuple[int, ...]:
        """The shape of one latent of the last group."""
        return self.shapes[self.groups[-1]]

    def build(self, condition_shape: Sequence[int | None] | None = None) -> None:
        """Create the weights of all links, for conditions of this shape, `[batch, size]`."""
        if self.built:
            return
        first, *others = self.links.values()
        first.build(condition_shape)
        shape = (None, *first.event_shape)
        for link in others:
            link.build(shape, condition_shape)
            shape = (None, *link.family.event_shape)
        # The decoders among the links are given y whenever the model is.
        self.conditional = condition_shape is not None
        self.built = True

    def begin(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> dict[str, Any]:
        """Return the condition, the first group's distribution, and no group yet."""
        first = self.links[self.groups[0]]
        return {"condition": condition, "first": first.distribution(condition, None, training), "before": None}

    def group(self, name: str, path: Any, training: bool | None = None) -> tfd.Distribution:
        """Return p(z_L), or p(z_l|z_{l+1}) given the group that the path was extended by last."""
        if name == self.groups[0]:
            return path["first"]
        return self.links[name].distribution(path["before"], path["condition"], training=training)

    def extend(self, name: str, path: Any, z: tf.Tensor, training: bool | None = None) -> dict[str, Any]:
        """Return the path with z as the group before the next."""
        return {**path, "before": z}

    def decoder_input(self, path: Any, z: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return z of the last group."""
        return z[self.groups[-1]]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["event_shape"]
        links = [[name, keras.saving.serialize_keras_object(link)] for name, link in self.links.items()]
        return {**config, "links": links}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Chain":
        """Rebuild from `get_config`."""
        links = {name: keras.saving.deserialize_keras_object(link) for name, link in config["links"]}
        return cls(**{**config, "links": links})


def _values(link: Any) -> Any:
    """Return what knows the shape and the support of a link's values: the prior itself, or the decoder's family."""
    return link.family if isinstance(link, Decoder) else link
