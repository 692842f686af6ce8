"""The one-hot categorical family, for discrete latents."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.support import ONE_HOT
from keras_vae.utils.arguments import one_line


@keras.saving.register_keras_serializable("keras_vae")
class OneHotCategorical(Family):
    """Independent categorical variables as one-hot vectors, parameterized by logits.

    log q(z|x) = Σ_n Σ_k z_nk log π_nk, π_n = softmax(logits_n) (Jang, Gu & Poole 2017, section 2). Its samples
    have no gradient: train it with a score-function estimator, or use `GumbelSoftmax`.

    Args:
        event_shape: `(variables, categories)`, such as `(20, 10)`.

    Raises:
        ValueError: If `event_shape` does not have two dimensions, or there are fewer than two categories.

    Example:
        >>> import tensorflow as tf
        >>> family = OneHotCategorical((1, 4))
        >>> q = family.distribution(family(tf.zeros([1, 1, 4])))
        >>> round(float(q.log_prob([[[0.0, 1.0, 0.0, 0.0]]])[0]), 4)  # −log 4, in nats
        -1.3863
    """

    support = ONE_HOT

    def __init__(self, event_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        if len(self.event_shape) != 2 or self.event_shape[1] < 2:
            raise ValueError(
                f"{type(self).__name__}: expected event_shape (variables, categories) with at least two categories, "
                f"received {one_line(event_shape)}. Use (20, 10), for example."
            )

    @property
    def parameters_shape(self) -> tuple[int, ...]:
        """`(variables, categories)`: one logit each."""
        return self.event_shape

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the logits, `[..., variables, categories]`."""
        return {"logits": unconstrained}

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        return tfd.Independent(tfd.OneHotCategorical(logits=parameters["logits"], dtype=self.variable_dtype), 1)

    def mean(self, parameters: Parameters) -> tf.Tensor:
        """Return the probabilities, `[..., variables, categories]`."""
        return tf.nn.softmax(parameters["logits"])

    def scale(self, parameters: Parameters) -> tf.Tensor:
        """Return √(π(1 − π)), `[..., variables, categories]`."""
        probabilities = self.mean(parameters)
        return tf.sqrt(probabilities * (1.0 - probabilities))

    def point(self, parameters: Parameters) -> tf.Tensor:
        """Return the most probable categories, one-hot."""
        logits = parameters["logits"]
        return tf.one_hot(tf.argmax(logits, axis=-1), self.event_shape[1], dtype=logits.dtype)
