"""The diagonal normal family, for real data and for latents."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.families.support import REAL
from keras_vae.utils.arguments import one_line

# exp(±15) is far beyond any trained scale and does not overflow in float32.
MAX_LOG_VARIANCE = 30.0
_LEARNED = ("learned", "learned_per_element")


@keras.saving.register_keras_serializable("keras_vae")
class Normal(Family):
    """Independent normal elements N(loc, scale²).

    With a predicted scale the network's second output is the log-variance, as in Kingma & Welling (2014),
    appendix C.2 (equation 12).

    Args:
        event_shape: Shape of one event: the number of latents, or `(28, 28, 1)`.
        scale: `"predicted"`, a scale for each element from the network (the default, which a posterior needs);
            `"learned"`, one scale for all elements, a weight; `"learned_per_element"`, one weight for each element, as
            in factor analysis; or a positive number, which is fixed.

    Raises:
        ValueError: If `scale` is anything else.

    Example:
        >>> import tensorflow as tf
        >>> family = Normal(2)
        >>> q = family.distribution(family(tf.zeros([1, 2, 2])))  # loc 0, log-variance 0
        >>> round(float(q.log_prob([[0.0, 0.0]])[0]), 4)  # −log 2π, in nats
        -1.8379
    """

    support = REAL
    preprocessing = ("dequantized", "gray", "dynamic", "static")

    def __init__(self, event_shape: int | Sequence[int], *, scale: float | str = "predicted", **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        fixed = isinstance(scale, Real) and not isinstance(scale, bool) and 0 < scale < float("inf")
        if not fixed and scale not in ("predicted", *_LEARNED):
            raise ValueError(
                'Normal: expected scale "predicted", "learned", "learned_per_element" or a positive finite number, '
                f"received {one_line(scale)}. Use one of these."
            )
        self.scale_spec = scale if isinstance(scale, str) else float(scale)
        self.parameters_per_element = 2 if scale == "predicted" else 1
        if scale in _LEARNED:
            shape = self.event_shape if scale == "learned_per_element" else ()
            self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")

    @classmethod
    def likelihood(cls, event_shape: int | Sequence[int], **options: Any) -> "Normal":
        """Make a likelihood of data, by default with one learned scale for all elements."""
        return cls(event_shape, **{"scale": "learned", **options})

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return `loc`, `[..., *event]`, and `scale`, the same shape or ones in the event's place."""
        loc = unconstrained[..., 0]
        if self.scale_spec == "predicted":
            log_variance = tf.clip_by_value(unconstrained[..., 1], -MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
            return {"loc": loc, "scale": tf.exp(0.5 * log_variance)}
        if self.scale_spec in _LEARNED:
            one_scale = tf.exp(tf.convert_to_tensor(self.log_scale))
        else:
            one_scale = tf.constant(self.scale_spec, loc.dtype)
        batch = tf.shape(loc)[: loc.shape.rank - len(self.event_shape)]
        shape = self.event_shape if self.scale_spec == "learned_per_element" else [1] * len(self.event_shape)
        return {"loc": loc, "scale": tf.broadcast_to(one_scale, tf.concat([batch, shape], 0))}

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `loc` and `scale`."""
        return self.independent(tfd.Normal(parameters["loc"], parameters["scale"]))

    def moved(self, parameters: Parameters, offset: tf.Tensor, unit: tf.Tensor) -> Parameters:
        """Return the parameters of offset + unit · event."""
        return {"loc": offset + unit * parameters["loc"], "scale": unit * parameters["scale"]}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "scale": self.scale_spec}
