"""Sums of importance weights in log space, a chunk of samples at a time."""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_vae.utils.seeds import fold_in

# From a number of samples and a stateless seed to what the samples give.
Draw = Callable[[tf.Tensor, tf.Tensor], Any]


def in_chunks(
    draw: Draw,
    add: Callable[[Any, Any], Any],
    start: Any,
    *,
    num_samples: tf.Tensor,
    examples: tf.Tensor,
    at_once: int,
    seed: tf.Tensor,
) -> Any:
    """Draw samples a chunk at a time, and add up what they give.

    Args:
        draw: From the size of a chunk and a stateless seed to what its samples give, such as log-weights
            `[size, batch]`.
        add: From the sums so far and the result of `draw` to the new sums.
        start: The sums of no samples, a structure of tensors.
        num_samples: Number of samples per example, a scalar.
        examples: Number of examples, a scalar.
        at_once: Number of (sample, example) pairs to decode in one piece, as `rows_at_once` returns it.
        seed: A stateless seed; each chunk folds in the number of samples before it.

    Returns:
        The sums.
    """
    chunk = tf.clip_by_value(at_once // examples, 1, num_samples)

    def one_chunk(done: tf.Tensor, sums: Any) -> tuple[tf.Tensor, Any]:
        size = tf.minimum(chunk, num_samples - done)
        return done + size, add(sums, draw(size, fold_in(seed, done)))

    _, sums = tf.while_loop(
        lambda done, _: done < num_samples, one_chunk, (tf.constant(0), start), parallel_iterations=1
    )
    return sums


def log_mean_weight(
    draw: Draw,
    like: tf.Tensor,
    *,
    num_samples: tf.Tensor,
    examples: tf.Tensor,
    at_once: int,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return log 1/S Σ_s w_s and the effective number of samples, (Σ w)² / Σ w².

    The effective sample size is that of Kong (1992): from 1, where one sample outweighs all others, to S, where all
    weights are equal.

    Args:
        draw: From the size of a chunk and a seed to log w, `[size, batch]`.
        like: A tensor `[batch, ...]` of the dtype of the weights.
        num_samples: S, a scalar.
        examples: As in `in_chunks`.
        at_once: As there.
        seed: A stateless seed.

    Returns:
        Both `[batch]`; −∞ and 0 if all weights are 0.
    """
    empty = tf.fill(tf.shape(like)[:1], tf.constant(-math.inf, like.dtype))

    def add(sums: tuple[tf.Tensor, tf.Tensor], log_weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        log_sum, log_squares = sums
        return (
            tf.reduce_logsumexp(tf.concat([log_sum[None], log_weights], 0), axis=0),
            tf.reduce_logsumexp(tf.concat([log_squares[None], 2.0 * log_weights], 0), axis=0),
        )

    log_sum, log_squares = in_chunks(
        draw,
        add,
        (empty, empty),
        num_samples=num_samples,
        examples=examples,
        at_once=at_once,
        seed=seed,
    )
    return log_sum - tf.math.log(tf.cast(num_samples, like.dtype)), effective_samples(log_sum, log_squares)


def effective_samples(log_sum: tf.Tensor, log_squares: tf.Tensor) -> tf.Tensor:
    """Return (Σ w)² / Σ w² from the logarithms of both sums; 0 where all weights are 0."""
    return tf.where(tf.math.is_finite(log_sum), tf.exp(2.0 * log_sum - log_squares), 0.0)
