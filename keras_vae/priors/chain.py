"""A chain of priors over groups of latents."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.encoder_decoder import Decoder, check_group_names
from keras_vae.families.support import Support
from keras_vae.priors.base import Posterior, Prior
from keras_vae.utils.arguments import one_line


@keras.saving.register_keras_serializable("keras_vae")
class Chain(Prior):
    """p(z) = p(z_L) p(z_{L-1}|z_L) ... p(z_1|z_2): a prior over the first group, and a decoder for each other group.

    Burda, Grosse & Salakhutdinov (2016), equation 3. The model's decoder takes the last group.

    Args:
        links: A dict by group, in the order in which the prior draws them: first a `Prior`, then one
            `keras_vae.Decoder` per group, from the group before it to this one.

    Raises:
        TypeError: If a link has the wrong type.
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
        check_group_names(links, "Chain")
        links = dict(links)
        if len(links) < 2:
            raise ValueError(
                f"Chain: links: expected two or more, received {len(links)}. Use the prior itself for one group."
            )
        for place, (name, link) in enumerate(links.items()):
            if not isinstance(link, Decoder if place else Prior):
                expected = "a keras_vae.Decoder" if place else "a keras_vae.priors.Prior"
                raise TypeError(
                    f"Chain: link {name!r}: expected {expected}, received {one_line(link)}. "
                    "Pass a prior, then decoders."
                )
        first = next(iter(links.values()))
        if first.made_of_posteriors:
            raise ValueError(
                f"Chain: first link: expected a prior that does not depend on the posterior, received "
                f"{type(first).__name__}. Use StandardNormal, Learned or a flow."
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
        """The support of each group."""
        return {name: _values(link).support for name, link in self.links.items()}

    @property
    def standard_normal(self) -> Sequence[str]:
        """The first group, if its prior is N(0, I)."""
        return self.groups[:1] if self.links[self.groups[0]].standard_normal else ()

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The links, for `keras.Model.summary`."""
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
        # The decoders take y in every conditional model.
        self.conditional = condition_shape is not None
        self.built = True

    def begin(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> dict[str, Any]:
        """Return the path: the condition, the first group's distribution, and no latents."""
        first = self.links[self.groups[0]]
        return {"condition": condition, "first": first.distribution(condition, None, training), "before": None}

    def group(self, name: str, path: Any, training: bool | None = None) -> tfd.Distribution:
        """Return p(z_L), or p(z_l|z_{l+1}) given the last group in the path."""
        if name == self.groups[0]:
            return path["first"]
        return self.links[name].distribution(path["before"], path["condition"], training=training)

    def extend(self, name: str, path: Any, z: tf.Tensor, training: bool | None = None) -> dict[str, Any]:
        """Return the path with z as the last group."""
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
    """Return the object with the shape and the support of a link: the prior itself, or the decoder's family."""
    return link.family if isinstance(link, Decoder) else link
