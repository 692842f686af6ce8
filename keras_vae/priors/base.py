"""What all priors share."""

from collections.abc import Sequence
from typing import Any

import keras
from tensorflow_probability import distributions as tfd

from keras_vae.checks import as_shape
from keras_vae.densities import density_dtype


class Prior(keras.layers.Layer):
    """p(z): a Keras layer, with or without weights, that yields a distribution over latents.

    A subclass makes its weights in the constructor: a prior is asked for its distribution, not called.

    Args:
        event_shape: Shape of one latent: an integer or a sequence of integers.
    """

    def __init__(self, event_shape: int | Sequence[int], **kwargs: Any) -> None:
        kwargs.setdefault("dtype", density_dtype())
        super().__init__(**kwargs)
        self.event_shape = as_shape(event_shape, type(self).__name__)
        self.built = True

    def distribution(self) -> tfd.Distribution:
        """Return p(z), with batch shape `[]` and event shape `event_shape`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "event_shape": list(self.event_shape)}
