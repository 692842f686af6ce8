"""Encoders and decoders: conditional distributions, each a network and a family."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.utils import replicas
from keras_vae.utils.arguments import one_line

# The name of the group in models with one group of latents; it appears in no result.
ONLY = "z"


class Conditional(keras.layers.Layer):
    """A distribution over events given inputs, p(event | inputs).

    The network maps the inputs to features, an output layer maps these to the family's unconstrained values, and the
    family turns these into a distribution. The network can be any Keras model that takes `[batch, *input]`. If its
    features have the event's height and width, the output layer is a 3×3 convolution; otherwise it is dense.

    A condition, `[batch, size]`, is passed as the network's argument `condition`, if there is one. Otherwise it is
    appended to the input: to the values of a vector, or to an image as constant channels.

    Args:
        network: A Keras model or layer.
        family: The family of the distribution.

    Call arguments:
        inputs: `[..., *input]`, with any number of leading axes.
        condition: The encoded condition, `[..., size]`, for a conditional model. Its leading axes are broadcast with
            those of the inputs.

    Returns:
        The family's named parameters, each `[..., *event]`, as a dict of float32 tensors.

    Raises:
        ValueError: If the inputs have the wrong shape, or a condition is missing or unexpected.
    """

    def __init__(self, network: keras.layers.Layer, family: Family, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, part, kind, expected in (
            ("network", network, keras.layers.Layer, "a Keras model, such as keras_vae.networks.MLP([400])"),
            ("family", family, Family, "a keras_vae.families.Family, such as keras_vae.families.Normal(20)"),
        ):
            if not isinstance(part, kind):
                raise TypeError(
                    f"{type(self).__name__}: {name}: expected {expected}, received {one_line(part)}. "
                    "Pass (network, family)."
                )
        self.network = network
        self.family = family

    def build(self, inputs_shape: Sequence[int | None], condition_shape: Sequence[int | None] | None = None) -> None:
        """Create the network's and the output layer's weights."""
        if self.built:
            return
        self.input_event_shape = tuple(inputs_shape)[1:]
        self.condition_size = None if condition_shape is None else condition_shape[-1]
        inputs = keras.Input(batch_shape=(None, *self.input_event_shape))
        condition = None if condition_shape is None else keras.Input((self.condition_size,))
        features = self._features(inputs, condition)
        event = self.family.event_shape
        values = self.family.parameters_shape
        if not self.family.built:
            self.family.build((None, *values))
        if len(event) == 3 and tuple(features.shape[1:-1]) == event[:2] == values[:2]:
            self.head = keras.layers.Conv2D(
                math.prod(values[2:]), 3, padding="same", dtype=self.dtype_policy, name="head"
            )
            self.head.build(features.shape)
        else:
            self.head = keras.layers.Dense(math.prod(values), dtype=self.dtype_policy, name="head")
            self.head.build((None, math.prod(features.shape[1:])))

    # Read by `keras.Model.summary`.

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The network and the output layer."""
        return [self.network, self.head]

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of a batch of events."""
        return (None, *self.family.event_shape)

    def call(self, inputs: tf.Tensor, condition: tf.Tensor | None = None, training: bool | None = None) -> Parameters:
        """Return the family's parameters."""
        return self.family(self.unconstrained(inputs, condition, training))

    def unconstrained(
        self, inputs: tf.Tensor, condition: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Return the unconstrained values that the family transforms, `[..., *parameters]`; arguments as in `call`."""
        event_rank = len(self.input_event_shape)
        inputs = tf.convert_to_tensor(inputs)
        if not inputs.shape[-event_rank:].is_compatible_with(self.input_event_shape):
            raise ValueError(
                f"{type(self).__name__}: inputs: expected shape (..., {', '.join(map(str, self.input_event_shape))}), "
                f"received {tuple(inputs.shape)}. Reshape the inputs."
            )
        if (condition is None) != (self.condition_size is None):
            expected, received = ("one", "None") if condition is None else ("None", "one")
            raise ValueError(
                f"{type(self).__name__}: condition: expected {expected}, received {received}. Pass it to conditional "
                "models only."
            )
        leading = tf.shape(inputs)[: inputs.shape.rank - event_rank]
        static = inputs.shape[: inputs.shape.rank - event_rank]
        if condition is not None:
            condition = tf.convert_to_tensor(condition)
            leading = tf.broadcast_dynamic_shape(leading, tf.shape(condition)[:-1])
            static = tf.broadcast_static_shape(static, condition.shape[:-1])
            inputs = tf.broadcast_to(inputs, tf.concat([leading, self.input_event_shape], 0))
            condition = tf.broadcast_to(condition, tf.concat([leading, [self.condition_size]], 0))
            condition = tf.reshape(condition, [-1, self.condition_size])
        rows = tf.reshape(inputs, [-1, *self.input_event_shape])
        count = tf.shape(rows)[0]
        if rows.shape[0] is None and replicas.replica_id():
            # A small last batch can leave a replica without rows, on which oneDNN's convolutions fail.
            rows, condition = (replicas.at_least_one(part) for part in (rows, condition))
        features = self._features(rows, condition, training=training)
        if isinstance(self.head, keras.layers.Dense):
            features = tf.reshape(features, [-1, self.head.kernel.shape[0]])
        values = tf.reshape(self.head(features)[:count], tf.concat([leading, self.family.parameters_shape], 0))
        values = tf.ensure_shape(values, [*static, *self.family.parameters_shape])
        return tf.cast(values, self.family.variable_dtype)

    def _features(self, inputs: Any, condition: Any, training: bool | None = None) -> Any:
        if condition is None:
            return self.network(inputs, training=training)
        if "condition" in inspect.signature(self.network.call).parameters:
            return self.network(inputs, condition=condition, training=training)
        for _ in range(len(self.input_event_shape) - 1):
            condition = keras.ops.expand_dims(condition, 1)
        if len(self.input_event_shape) > 1:
            tiles = keras.ops.ones_like(inputs[..., :1])
            condition = keras.ops.cast(condition, tiles.dtype) * tiles
        return self.network(
            keras.ops.concatenate([inputs, keras.ops.cast(condition, inputs.dtype)], axis=-1), training=training
        )

    def distribution(
        self, inputs: tf.Tensor, condition: tf.Tensor | None = None, training: bool | None = None
    ) -> tfd.Distribution:
        """Return the distribution given inputs `[..., *input]`: batch shape `[...]`."""
        return self.family.distribution(self(inputs, condition, training=training))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "family": keras.saving.serialize_keras_object(self.family),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Conditional":
        """Rebuild from `get_config`."""
        parts = {key: keras.saving.deserialize_keras_object(config[key]) for key in ("network", "family")}
        return cls(**{**config, **parts})


def check_group_names(links: Any, owner: str) -> None:
    """Check that links are a dict whose keys can name groups of latents, also in served signatures.

    Raises:
        TypeError: If they are not a dict.
        ValueError: If a key is not a Python identifier.
    """
    if not isinstance(links, Mapping):
        raise TypeError(
            f"{owner}: links: expected a dict with one link per group, received a {type(links).__name__}. Use "
            "{'z1': ..., 'z2': ...}."
        )
    for name in links:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(
                f"{owner}: links: expected names of letters, digits and underscores, received {name!r}. Use 'z1', for "
                "example."
            )


class LatentEncoder(keras.layers.Layer):
    """Base class of encoders: q of each group of latents, given x and the groups drawn before it.

    `Encoder` has one group and `ChainEncoder` a chain of groups. Subclass this for other structures.

    Attributes:
        families: The family of each group by name, in the order in which the groups are drawn.
        shares_path: Whether q of a group also depends on the prior's path before it, as in a ladder, where posterior
            and prior share a deterministic top-down network. The groups must then come in the prior's order.
    """

    families: Mapping[str, Family]
    shares_path: bool = False

    def read(self, x: tf.Tensor, condition: tf.Tensor | None = None, training: bool | None = None) -> Any:
        """Return the evidence, what the groups need from x: a nest of tensors, each `[batch, ...]`.

        Args:
            x: `[batch, *event]`.
            condition: The encoded y, `[batch, size]`.
            training: Passed to the networks.
        """
        raise NotImplementedError

    def parameters(
        self,
        name: str,
        evidence: Any,
        earlier: Mapping[str, tf.Tensor],
        path: Any,
        condition: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tuple[Parameters, Any]:
        """Return the parameters of q of a group, and the evidence for the groups after it.

        Args:
            name: The group.
            evidence: From `read`, or, if the encoder has a recurrent state, from this method for the previous group.
            earlier: z of the groups drawn before, each `[samples, batch, *latent]`, or `[batch, *latent]`.
            path: The prior's path before the group, if `shares_path`; otherwise None.
            condition: The encoded y, `[batch, size]`.
            training: Passed to the networks.

        Returns:
            The family's parameters, each `[batch, ...]` for the first group and with the leading axes of `earlier` for
            the others; and the evidence, which an encoder without a state returns unchanged.
        """
        raise NotImplementedError


@keras.saving.register_keras_serializable("keras_vae")
class Encoder(Conditional, LatentEncoder):
    """The approximate posterior q(z|x): a network on x and a family over z.

    Args:
        network: A Keras model on `[batch, *event]`.
        family: The posterior's family, such as `keras_vae.families.Normal(20)`.

    Example:
        >>> import numpy as np
        >>> import keras_vae as kv
        >>> encoder = kv.Encoder(kv.networks.MLP([64]), kv.families.Normal(20))
        >>> q = encoder.distribution(np.zeros([8, 28, 28, 1], "float32"))
        >>> q.batch_shape, q.event_shape
        (TensorShape([8]), TensorShape([20]))
    """

    @property
    def families(self) -> Mapping[str, Family]:  # type: ignore[override]
        """The family of the only group."""
        return {ONLY: self.family}

    def read(self, x: tf.Tensor, condition: tf.Tensor | None = None, training: bool | None = None) -> Parameters:
        """Return the parameters of q(z|x), each `[batch, ...]`."""
        return self(x, condition, training=training)

    def parameters(
        self,
        name: str,
        evidence: Any,
        earlier: Mapping[str, tf.Tensor],
        path: Any,
        condition: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tuple[Parameters, Any]:
        """Return the parameters that `read` returned."""
        return evidence, evidence


@keras.saving.register_keras_serializable("keras_vae")
class ChainEncoder(LatentEncoder):
    """A chain of encoders, q(z1|x) q(z2|z1) and so on (Burda, Grosse & Salakhutdinov 2016, equation 4).

    Args:
        links: A dict with one `Encoder` per group, in the order in which the groups are drawn. The first takes x, the
            others take the group before them.

    Raises:
        TypeError: If a link is not an `Encoder`.
        ValueError: If there are no links.

    Example:
        >>> import keras_vae as kv
        >>> encoder = kv.ChainEncoder(
        ...     {
        ...         "z1": kv.Encoder(kv.networks.MLP([64]), kv.families.Normal(20)),
        ...         "z2": kv.Encoder(kv.networks.MLP([32]), kv.families.Normal(10)),
        ...     }
        ... )
        >>> list(encoder.families)
        ['z1', 'z2']
    """

    def __init__(self, links: Mapping[str, Encoder], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_group_names(links, "ChainEncoder")
        for name, link in links.items():
            if not isinstance(link, Encoder):
                raise TypeError(
                    f"ChainEncoder: link {name!r}: expected a keras_vae.Encoder, received {one_line(link)}. Pass "
                    "keras_vae.Encoder(network, family)."
                )
        if not links:
            raise ValueError("ChainEncoder: links: expected one keras_vae.Encoder per group, received none. Add links.")
        self.links = dict(links)

    @property
    def families(self) -> Mapping[str, Family]:  # type: ignore[override]
        """The family of each group."""
        return {name: link.family for name, link in self.links.items()}

    def build(self, inputs_shape: Sequence[int | None], condition_shape: Sequence[int | None] | None = None) -> None:
        """Create the weights of all links."""
        shape = tuple(inputs_shape)
        for link in self.links.values():
            link.build(shape, condition_shape)
            shape = (None, *link.family.event_shape)

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The links."""
        return list(self.links.values())

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of a batch of the last group."""
        return self.layers[-1].output_shape

    def call(self, inputs: tf.Tensor, condition: tf.Tensor | None = None, training: bool | None = None) -> Parameters:
        """Return the parameters of the first group."""
        return self.read(inputs, condition, training)

    def read(self, x: tf.Tensor, condition: tf.Tensor | None = None, training: bool | None = None) -> Parameters:
        """Return the parameters of the first group, each `[batch, ...]`."""
        return next(iter(self.links.values()))(x, condition, training=training)

    def parameters(
        self,
        name: str,
        evidence: Any,
        earlier: Mapping[str, tf.Tensor],
        path: Any,
        condition: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tuple[Parameters, Any]:
        """Return the parameters of a group's link, given the group before it."""
        names = list(self.links)
        place = names.index(name)
        if place == 0:
            return evidence, evidence
        return self.links[name](earlier[names[place - 1]], condition, training=training), evidence

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        links = [[name, keras.saving.serialize_keras_object(link)] for name, link in self.links.items()]
        return {**super().get_config(), "links": links}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ChainEncoder":
        """Rebuild from `get_config`."""
        links = {name: keras.saving.deserialize_keras_object(link) for name, link in config["links"]}
        return cls(**{**config, "links": links})


@keras.saving.register_keras_serializable("keras_vae")
class Decoder(Conditional):
    """The likelihood p(x|z): a network on z and a family over x.

    Args:
        network: A Keras model on `[batch, latent]`.
        family: The likelihood's family, such as `keras_vae.families.Bernoulli((28, 28, 1))`.

    Example:
        >>> import numpy as np
        >>> import keras_vae as kv
        >>> decoder = kv.Decoder(kv.networks.MLP([64]), kv.families.Bernoulli((28, 28, 1)))
        >>> p = decoder.distribution(np.zeros([8, 20], "float32"))
        >>> p.batch_shape, p.event_shape
        (TensorShape([8]), TensorShape([28, 28, 1]))
    """
