"""The piecewise constant family, for latents in [0, 1]."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.checks import positive_integer
from keras_vae.families.base import Family, Parameters
from keras_vae.families.piecewise_constant_distribution import PiecewiseConstantDistribution
from keras_vae.families.support import UNIT_INTERVAL

# Masses as far apart as e²⁰; float32 noise, in steps of e⁻¹⁶, would not find a smaller one.
MAX_LOGIT = 10.0


@keras.saving.register_keras_serializable("keras_vae")
class PiecewiseConstant(Family):
    """Independent elements on [0, 1] with constant density on each of n equal intervals.

    p(z) = n π_i for i/n ≤ z < (i+1)/n, with π = softmax(logits): Serban, Ororbia, Pineau & Courville (2017), whose
    a_i is proportional to π_i, and whose samples are those of the inverse distribution function too. One element
    can have several modes, for latents that mean one thing or another. `keras_vae.priors.Uniform` is the natural
    prior, with a KL in closed form.

    As a posterior it is trained through its samples only where the KL has a closed form: the density jumps where
    pieces meet, and a gradient along samples misses the jumps. Other objectives need a score-function estimator.

    The logits are bounded smoothly, c·tanh(u/c) with c = 10, so that no gradient of a sample overflows.

    Args:
        event_shape: Shape of one event: the number of latents.
        pieces: n.

    Raises:
        ValueError: If `pieces` is not a positive integer.

    Example:
        >>> import tensorflow as tf
        >>> family = PiecewiseConstant(1, pieces=2)
        >>> q = family.distribution(family(tf.math.log([[[3.0, 1.0]]])))  # masses near ¾ and ¼
        >>> [round(float(q.prob([[z]])[0]), 2) for z in (0.2, 0.7)]
        [1.5, 0.5]
    """

    support = UNIT_INTERVAL
    jumps = True

    def __init__(self, event_shape: int | Sequence[int], pieces: int = 5, **kwargs: Any) -> None:
        super().__init__(event_shape, **kwargs)
        self.parameters_per_element = self.pieces = positive_integer(pieces, "PiecewiseConstant: pieces")

    def call(self, unconstrained: tf.Tensor) -> Parameters:
        """Return the bounded `logits` of the pieces, `[..., *event, n]`."""
        return {"logits": MAX_LOGIT * tf.tanh(unconstrained / MAX_LOGIT)}

    def distribution(self, parameters: Parameters) -> tfd.Distribution:
        """Build the distribution from `logits`."""
        return self.independent(PiecewiseConstantDistribution(parameters["logits"]))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "pieces": self.pieces}
