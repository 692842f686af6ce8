"""The bounds of q* and of the encoder from the same noise, and log p(x) by the better of the two proposals."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_vae.evaluation.likelihood.importance_weights import in_chunks, log_mean_weight

# From a number of samples and a stateless seed to log p(x, z) − log q(z) at samples of q, `[samples, batch]`.
Proposal = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# One in this many samples decides which proposal is better.
_TRIAL_SHARE = 10


def both_bounds(
    proposals: tuple[Proposal, Proposal], like: tf.Tensor, *, at_once: int, num_samples: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Return L[q*], its error, L[q(z|x)], its error, and that of their difference, each `[batch]`, float64.

    Args:
        proposals: q* and the encoder's posterior.
        like: A tensor `[batch, ...]`.
        at_once: As in `in_chunks`.
        num_samples: Samples per example.
        seed: A stateless seed.
    """

    def draw(size: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        better, given = (tf.cast(proposal(size, seed), tf.float64) for proposal in proposals)
        return better, given, better - given

    def add(sums: Any, drawn: Any) -> Any:
        # In float64, which is precise enough for plain sums of squares.
        return [
            (first + tf.reduce_sum(value, 0), second + tf.reduce_sum(value**2, 0))
            for (first, second), value in zip(sums, drawn, strict=True)
        ]

    batch = tf.shape(like)[0]
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
    proposals: tuple[Proposal, Proposal],
    like: tf.Tensor,
    *,
    mixed: Callable[[tf.Tensor], Proposal] | None,
    at_once: int,
    num_samples: tf.Tensor,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return log p(x) and the effective sample size, each `[batch]`, from the better of two proposals.

    Args:
        proposals: q* and the encoder's posterior.
        like: A tensor `[batch, ...]` of the dtype of the weights.
        mixed: From a mask, `[batch]`, to the proposal that is q* where it is true, and the encoder's elsewhere; None
            if they cannot be drawn together.
        at_once: As in `in_chunks`.
        num_samples: Samples per example.
        seed: A stateless seed.
    """

    def weigh(proposal: Proposal, samples: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return log_mean_weight(
            proposal, like, num_samples=samples, examples=tf.shape(like)[0], at_once=at_once, seed=seed
        )

    # Chosen by other samples: the higher of two final estimates would be too high.
    trial, final = tf.unstack(tf.random.experimental.stateless_split(seed))
    few = tf.maximum(num_samples // _TRIAL_SHARE, 1)
    local, encoder = (weigh(proposal, few, trial)[0] for proposal in proposals)
    better = local >= encoder
    if mixed is not None:
        return weigh(mixed(better), num_samples, final)
    pairs = (weigh(proposal, num_samples, final) for proposal in proposals)
    log_p, effective = (tf.where(better, *parts) for parts in zip(*pairs, strict=True))
    return log_p, effective
