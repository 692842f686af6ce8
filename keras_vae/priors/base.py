"""What all priors share."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.support import REAL, Support
from keras_vae.utils.arguments import as_shape
from keras_vae.utils.distributions import density_dtype

Posterior = Callable[[tf.Tensor], tfd.Distribution]


class Prior(keras.layers.Layer):
    """p(z), or p(z|y): a Keras layer, with or without weights, that yields a distribution over latents.

    A subclass makes its weights in the constructor: a prior is asked for its distribution, not called.

    Args:
        event_shape: Shape of one latent: an integer or a sequence of integers.
    """

    support: Support = REAL
    # Whether it wants the condition y, and gives one distribution for each.
    conditional: bool = False
    # Whether it is made of the model's posteriors, and so given y if these are.
    made_of_posteriors: bool = False

    def __init__(self, event_shape: int | Sequence[int], **kwargs: Any) -> None:
        kwargs.setdefault("dtype", density_dtype())
        super().__init__(**kwargs)
        self.event_shape = as_shape(event_shape, type(self).__name__)
        self.built = True

    def distribution(
        self,
        condition: tf.Tensor | None = None,
        posterior: Posterior | None = None,
        training: bool | None = None,
    ) -> tfd.Distribution:
        """Return p(z), batch shape `[]`, or p(z|y), batch shape `[...]`; event shape `event_shape`.

        Args:
            condition: y, encoded, `[..., condition]`; for priors that want it.
            posterior: The function from x to q(z|x); for priors made of posteriors.
            training: Passed on to networks.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "event_shape": list(self.event_shape)}
