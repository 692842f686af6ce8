"""What all priors share."""

from collections.abc import Sequence
from typing import Any

import keras
from tensorflow_probability import distributions as tfd

from keras_vae.shapes import as_shape


class Prior(keras.layers.Layer):
    """p(z): a Keras layer, with or without weights, that yields a distribution over latents.

    Args:
        event_shape: Shape of one latent: an integer or a sequence of integers.
    """

    def __init__(self, event_shape: int | Sequence[int], **kwargs: Any) -> None:
        kwargs.setdefault("dtype", keras.config.dtype_policy().variable_dtype)
        super().__init__(**kwargs)
        self.event_shape = as_shape(event_shape, type(self).__name__)
        self.built = True

    def distribution(self) -> tfd.Distribution:
        """Return p(z), with batch shape `[]` and event shape `event_shape`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "event_shape": list(self.event_shape)}
