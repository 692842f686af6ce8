"""The base class of priors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.encoder_decoder import ONLY
from keras_vae.families.support import REAL, Support
from keras_vae.utils.arguments import as_shape
from keras_vae.utils.distributions import density_dtype

Posterior = Callable[[tf.Tensor], tfd.Distribution]


class Prior(keras.layers.Layer):
    """p(z) or p(z|y): a Keras layer, with or without weights, that returns a distribution over latents.

    A subclass creates its weights in the constructor, because priors are not called like other layers.

    Args:
        event_shape: Shape of one latent: an integer or a sequence of integers.
    """

    support: Support = REAL
    # Whether it depends on the condition y.
    conditional: bool = False
    # Whether it is made of the model's posteriors, and therefore depends on y if these do.
    made_of_posteriors: bool = False

    def __init__(self, event_shape: int | Sequence[int], **kwargs: Any) -> None:
        kwargs.setdefault("dtype", density_dtype())
        super().__init__(**kwargs)
        self.event_shape = as_shape(event_shape, type(self).__name__)
        self.built = True

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Do nothing: the constructor creates the weights. A prior that depends on y creates them here."""

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return p(z), batch shape `[]`, or p(z|y), batch shape `[...]`; event shape `event_shape`.

        Args:
            condition: The encoded y, `[..., condition]`, for priors that depend on it.
            posterior: The function from x to q(z|x), for priors made of posteriors.
            training: Passed to the networks.
        """
        raise NotImplementedError

    # Priors over several groups of latents override the following methods. The path is the state after the groups drawn
    # so far: a nest of tensors, or, for one group, its distribution.

    @property
    def groups(self) -> Sequence[str]:
        """The names of the groups, in the order in which the prior draws them."""
        return (ONLY,)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one latent of each group."""
        return dict.fromkeys(self.groups, self.event_shape)

    @property
    def supports(self) -> dict[str, Support]:
        """The support of each group."""
        return dict.fromkeys(self.groups, self.support)

    @property
    def standard_normal(self) -> Sequence[str]:
        """The names of the groups whose prior is N(0, I): on that scale, a variance says whether a latent is active."""
        return ()

    @property
    def decoder_input_shape(self) -> tuple[int, ...]:
        """The shape of the decoder's input for one x."""
        return self.event_shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of a batch of decoder inputs, for `keras.Model.summary`."""
        return (None, *self.decoder_input_shape)

    def begin(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> Any:
        """Return the path before the first group; arguments as in `distribution`."""
        return self.distribution(condition, posterior, training)

    def group(self, name: str, path: Any, training: bool | None = None) -> tfd.Distribution:
        """Return p of a group given the groups before it.

        Args:
            name: The group.
            path: The path before it.
            training: Passed to the networks.

        Returns:
            A distribution with batch shape `[]`, `[batch]` if it depends on the condition, or the leading axes of the
            groups before it.
        """
        return path

    def extend(self, name: str, path: Any, z: tf.Tensor, training: bool | None = None) -> Any:
        """Return the path after a group, given its z, `[..., batch, *latent]`."""
        return path

    def decoder_input(self, path: Any, z: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return the decoder's input, `[..., batch, *decoder_input_shape]`.

        Args:
            path: The path after the last group; None for one group.
            z: The latents by group.
        """
        return z[ONLY]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "event_shape": list(self.event_shape)}
