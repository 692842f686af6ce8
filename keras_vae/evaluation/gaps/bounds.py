"""The bounds of q* and of the encoder from the same noise, and log p(x) by the better of the two proposals."""

from typing import Any

import tensorflow as tf

from keras_vae.evaluation.gaps.local_posterior import log_weights
from keras_vae.evaluation.likelihood.importance_weights import in_chunks, log_mean_weight
from keras_vae.families.base import Family
from keras_vae.inference import Inference

# One in this many samples decides which proposal is better.
_TRIAL_SHARE = 10


def both_bounds(
    inference: Inference,
    families: tuple[Family, Family],
    at_once: int,
    values: tuple[tf.Tensor, tf.Tensor],
    num_samples: tf.Tensor,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Return L[q*], its error, L[q(z|x)], its error, and that of their difference, each `[batch]`, float64.

    Of two families and values, the first are those of q*, the second those of the encoder.
    """

    def draw(size: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        better, given = (
            tf.cast(log_weights(inference, family, part, size, seed), tf.float64)
            for family, part in zip(families, values, strict=True)
        )
        return better, given, better - given

    def add(sums: Any, drawn: Any) -> Any:
        # In float64, which is precise enough for plain sums of squares.
        return [
            (first + tf.reduce_sum(value, 0), second + tf.reduce_sum(value**2, 0))
            for (first, second), value in zip(sums, drawn, strict=True)
        ]

    batch = tf.shape(values[0])[0]
    nothing = tf.zeros([batch], tf.float64)
    sums = in_chunks(
        draw,
        add,
        [(nothing, nothing)] * 3,
        num_samples=num_samples,
        examples=batch,
        at_once=at_once,
        seed=seed,
    )
    count = tf.cast(num_samples, tf.float64)
    (better, better_error), (given, given_error), (_, difference_error) = (
        (first / count, tf.sqrt(tf.maximum(second / count - (first / count) ** 2, 0.0) / (count - 1.0)))
        for first, second in sums
    )
    return better, better_error, given, given_error, difference_error


def importance_estimate(
    inference: Inference,
    families: tuple[Family, Family],
    at_once: int,
    values: tuple[tf.Tensor, tf.Tensor],
    num_samples: tf.Tensor,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return log p(x) and the effective sample size, each `[batch]`, from the better of two proposals."""

    def weigh(family: Family, values: tf.Tensor, samples: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return log_mean_weight(
            lambda size, noise: log_weights(inference, family, values, size, noise),
            values,
            num_samples=samples,
            examples=tf.shape(values)[0],
            at_once=at_once,
            seed=seed,
        )

    # Chosen by other samples: the higher of two final estimates would be too high.
    trial, final = tf.unstack(tf.random.experimental.stateless_split(seed))
    few = tf.maximum(num_samples // _TRIAL_SHARE, 1)
    local, encoder = (weigh(family, part, few, trial)[0] for family, part in zip(families, values, strict=True))
    better = local >= encoder
    if families[0] is families[1]:
        mask = tf.reshape(better, [-1] + [1] * (values[0].shape.rank - 1))
        return weigh(families[0], tf.where(mask, *values), num_samples, final)
    pairs = (weigh(family, part, num_samples, final) for family, part in zip(families, values, strict=True))
    log_p, effective = (tf.where(better, *parts) for parts in zip(*pairs, strict=True))
    return log_p, effective
