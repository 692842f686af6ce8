"""Markov chains that draw latents and hidden values in turn."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.evaluation.batches import Batch, rows_at_once
from keras_vae.evaluation.likelihood.prior_sampling import draw_from_prior
from keras_vae.inference import Densities, Inference
from keras_vae.inference.densities import total
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import one_line, positive_integer
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE

METHODS = ("metropolis", "gibbs")


class Found(NamedTuple):
    """The result of the chains of one batch.

    Attributes:
        means: x with E[x_hidden | x_observed] in the hidden places, `[batch, *event]`.
        draws: x with the chains' last draws in the hidden places, `[chains, batch, *event]`.
        acceptance: Share of accepted proposals in the second half, `[batch]`.
        log_predictive: log p(x_part | x_observed) of each independent part of x, `[batch, *parts]`, in nats; −∞ if
            not requested.
    """

    means: np.ndarray
    draws: np.ndarray
    acceptance: np.ndarray
    log_predictive: np.ndarray


def chains_of(
    model: VAE, method: str, *, num_chains: int, num_steps: int, seed: int, log_predictive: bool = False
) -> Callable[[Batch, np.ndarray], Found]:
    """Return the function from a batch and its masks, `[batch, *event]`, to the result of its chains; compiled once.

    Raises:
        ValueError: If an argument is invalid.
    """
    if method not in METHODS:
        raise ValueError(
            f"imputation: method is unknown: expected 'metropolis' or 'gibbs', received {one_line(method)}"
        )
    num_chains = positive_integer(num_chains, "imputation: num_chains")
    if positive_integer(num_steps, "imputation: num_steps") < 4:
        raise ValueError(
            f"imputation: num_steps is too small: expected 4 or more, because half are warm-up, received {num_steps}"
        )

    @compiled
    def run(x: tf.Tensor, hidden: tf.Tensor, y: tf.Tensor | None, noise: tf.Tensor, count: tf.Tensor) -> Any:
        return _run(model, x, hidden, y, noise, count, num_steps, method == "metropolis", log_predictive)

    def of(batch: Batch, hidden: np.ndarray) -> Found:
        at_once = max(1, rows_at_once(model) // len(batch.x))
        pieces, shares = [], []
        for start in range(0, num_chains, at_once):
            count = min(at_once, num_chains - start)
            noise = streams.derive(seed, "imputation", batch.number, start)
            found = run(batch.x, tf.constant(hidden), batch.condition, noise, tf.constant(count))
            pieces.append(Found(*(part.numpy() for part in found)))
            shares.append(count / num_chains)
        weighted = list(zip(shares, pieces, strict=True))
        return Found(
            means=np.where(hidden, sum(share * piece.means for share, piece in weighted), batch.x.numpy()),
            draws=np.concatenate([piece.draws for piece in pieces]),
            acceptance=np.sum([share * piece.acceptance for share, piece in weighted], axis=0),
            log_predictive=np.logaddexp.reduce([math.log(share) + piece.log_predictive for share, piece in weighted]),
        )

    return of


def _run(
    model: VAE,
    x: tf.Tensor,
    hidden: tf.Tensor,
    y: tf.Tensor | None,
    seed: tf.Tensor,
    chains: tf.Tensor,
    num_steps: int,
    metropolis: bool,
    log_predictive: bool,
) -> tuple[tf.Tensor, ...]:
    """Run chains for x, `[batch, *event]`, and return the fields of `Found`."""
    of_z, of_x, of_steps = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    at_x, groups = model.infer(x, condition=y), model.latents
    both = tf.stack([chains, tf.shape(x)[0]])
    # All latents side by side; the shapes are fixed, as tf.while_loop requires.
    z_shape, x_shape = [None, x.shape[0], groups.size], [None, *x.shape]
    z = tf.ensure_shape(groups.flatten(draw_from_prior(at_x, chains, of_z)), z_shape)

    def fill(likelihood: tfd.Distribution, noise: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.where(hidden, likelihood.sample(seed=noise), x), x_shape)

    def infer(filled: tf.Tensor) -> Inference:
        """Return the model at the examples of all chains, one after the other."""
        of_each = None if y is None else tf.reshape(tf.repeat(y[None], chains, axis=0), [-1, *y.shape[1:]])
        return model.infer(tf.reshape(filled, [-1, *model.event_shape]), condition=of_each)

    def by_chain(value: tf.Tensor) -> tf.Tensor:
        """Return `[chains, batch, ...]` of `[1, chains · batch, ...]`."""
        return tf.reshape(value, tf.concat([both, tf.shape(value)[2:]], 0))

    def log_joint_of(densities: Densities, filled: tf.Tensor) -> tf.Tensor:
        return densities.likelihood.log_prob(filled) + total(densities.log_prior.values())

    def add(sums: tuple[tf.Tensor, ...], likelihood: tfd.Distribution, accepted: tf.Tensor) -> tuple[tf.Tensor, ...]:
        means, acceptance, log_sum = sums
        if log_predictive:
            log_probs = tf.reduce_logsumexp(model.observed_family.log_prob_by_part(likelihood, x), axis=0)
            log_sum = tf.reduce_logsumexp(tf.stack([log_sum, log_probs]), axis=0)
        means += tf.reduce_mean(likelihood.mean(), axis=0)
        return means, acceptance + tf.reduce_mean(tf.cast(accepted, means.dtype), axis=0), log_sum

    def step(number: tf.Tensor, z: tf.Tensor, filled: tf.Tensor, log_joint: tf.Tensor, sums: Any) -> tuple[Any, ...]:
        noise = streams.fold_in(of_steps, number)
        of_proposal, of_lot, of_fill = tf.unstack(tf.random.experimental.stateless_split(noise, 3))
        inference = infer(filled)
        drawn, log_q = inference.sample_and_log_posterior(1, of_proposal)
        proposal = by_chain(groups.flatten(drawn))
        accepted = tf.ones(both, tf.bool)
        if metropolis:
            proposed = log_joint_of(at_x.densities(groups.unflatten(proposal)), filled)
            back = inference.densities(groups.unflatten(tf.reshape(z, [1, -1, groups.size]))).log_posterior
            log_ratio = proposed - log_joint + by_chain(total(back.values()) - total(log_q.values()))
            lots = tf.random.stateless_uniform(both, of_lot, dtype=log_ratio.dtype)
            accepted = (tf.math.log(lots) < log_ratio) | (number < num_steps // 4)
        z = tf.ensure_shape(tf.where(accepted[..., None], proposal, z), z_shape)
        densities = at_x.densities(groups.unflatten(z))
        likelihood = densities.likelihood
        added = tf.cond(number < num_steps // 2, lambda: sums, lambda: add(sums, likelihood, accepted))
        sums = tuple(tf.ensure_shape(new, old.shape) for new, old in zip(added, sums, strict=True))
        filled = fill(likelihood, of_fill)
        if metropolis:
            log_joint = tf.ensure_shape(log_joint_of(densities, filled), z_shape[:2])
        return number + 1, z, filled, log_joint, sums

    parts = tf.shape(x)[: x.shape.rank - model.observed_family.joint_axes()]
    per_example = tf.zeros_like(x[(..., *[0] * len(model.event_shape))])
    sums = (tf.zeros_like(x), per_example, tf.fill(parts, tf.constant(-math.inf, x.dtype)))
    start = fill(at_x.densities(groups.unflatten(z)).likelihood, of_x)
    _, _, filled, _, (means, acceptance, log_sum) = tf.while_loop(
        lambda number, *_: number < num_steps,
        step,
        # The first proposals are always accepted, so the first joint density is not used.
        (tf.constant(0), z, start, tf.ensure_shape(tf.zeros(both, x.dtype), z_shape[:2]), sums),
        parallel_iterations=1,
    )
    kept = num_steps - num_steps // 2
    log_mean = log_sum - tf.math.log(tf.cast(kept * chains, log_sum.dtype))
    return means / kept, filled, acceptance / kept, log_mean
