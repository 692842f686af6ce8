"""Annealing: chains of Hamiltonian transitions from one density to another."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf
import tensorflow_probability as tfp

from keras_vae.evaluation.likelihood.prior_sampling import draw_from_prior
from keras_vae.inference import Inference
from keras_vae.inference.densities import total
from keras_vae.utils.seeds import fold_in

# Steepness of the sigmoid that spaces the temperatures.
_STEEPNESS = 4.0
# The optimum for Hamiltonian transitions in high dimensions (Neal 2011).
_TARGET_ACCEPTANCE = 0.65
# How far the acceptance of one transition moves the log of the step size in the trial run.
_GAIN = 0.2
# Steps vary by this share, so that no path is exactly one period of a nearly normal density.
_JITTER = 0.2


@dataclass(frozen=True, eq=False)
class Path:
    """The densities f_β(z) = start(z) · rise(z)^β, β from 0 to 1, unnormalized; f_1 is p(x, z).

    Attributes:
        log_rise: From z, all latents side by side, `[chains, batch, latents]`, to log rise, `[chains, batch]`.
        move: A transition that leaves f_β invariant and is reversible: from z, β (a scalar), step sizes `[batch]` and
            a stateless seed to z and its acceptance probability, `[chains, batch]`.
    """

    log_rise: Callable[[tf.Tensor], tf.Tensor]
    move: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def path(inference: Inference, leapfrog_steps: int, from_posterior: bool) -> Path:
    """Return the path to p(x, z) from the prior, or from q(z|x)."""

    def parts(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        densities = inference.densities(inference.groups.unflatten(z))
        log_prior, log_likelihood = total(densities.log_prior.values()), densities.log_likelihood
        if not from_posterior:
            return log_prior, log_likelihood
        log_posterior = total(densities.log_posterior.values())
        return log_posterior, log_prior + log_likelihood - log_posterior

    def move(z: tf.Tensor, beta: tf.Tensor, step_sizes: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        noise, jitter = tf.unstack(tf.random.experimental.stateless_split(seed))
        spread = tf.random.stateless_uniform(tf.shape(z)[:2], jitter, 1.0 - _JITTER, 1.0 + _JITTER, z.dtype)
        steps = (spread * step_sizes)[..., None]

        def log_density(z: tf.Tensor) -> tf.Tensor:
            start, rise = parts(z)
            return start + beta * rise

        kernel = tfp.mcmc.HamiltonianMonteCarlo(log_density, steps, leapfrog_steps)
        # Bootstrap at each temperature: the last results belong to the last density. TFP's own loop,
        # sample_annealed_importance_chain, reuses them, and is wrong (tensorflow/probability, issue 1429).
        moved, results = kernel.one_step(z, kernel.bootstrap_results(z), seed=noise)
        return moved, tf.exp(tf.minimum(results.log_accept_ratio, 0.0))

    # For any number of chains, so that it is traced once for trial and final chains.
    dtype = tf.as_dtype(inference.model.prior.variable_dtype)
    of_any_number = [
        tf.TensorSpec([None, None, inference.groups.size], dtype),
        tf.TensorSpec([], dtype),
        tf.TensorSpec([None], dtype),
        tf.TensorSpec([2], tf.int32),
    ]
    return Path(lambda z: parts(z)[1], tf.function(move, input_signature=of_any_number))


def draw_start(inference: Inference, chains: int, seed: tf.Tensor, from_posterior: bool) -> tf.Tensor:
    """Draw the starts of chains, all latents side by side, `[chains, batch, latents]`."""
    draw = inference.sample if from_posterior else functools.partial(draw_from_prior, inference)
    return inference.groups.flatten(draw(chains, seed))


def temperature(step: tf.Tensor, num_steps: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return β of a step, 0 at step 0 and 1 at the last, densest at both ends.

    Grosse, Ghahramani & Adams (2015): β̃ = σ(δ(2t/T − 1)), δ = 4, moved and scaled to [0, 1].

    Example:
        >>> [round(float(temperature(tf.constant(t), tf.constant(4), tf.float32)), 3) for t in range(5)]
        [0.0, 0.105, 0.5, 0.895, 1.0]
    """
    share = tf.cast(step, dtype) / tf.cast(num_steps, dtype)
    lowest = 1.0 / (1.0 + math.exp(_STEEPNESS))
    return (tf.sigmoid(_STEEPNESS * (2.0 * share - 1.0)) - lowest) / (1.0 - 2.0 * lowest)


def tune(path: Path, z: tf.Tensor, num_steps: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Anneal trial chains, and find step sizes for each example and temperature.

    The chains are discarded: steps that depend on the chains they move would bias the weights of these chains.

    Args:
        path: The densities.
        z: Starts of the trial chains, `[chains, batch, latents]`.
        num_steps: T, a scalar.
        seed: A stateless seed.

    Returns:
        Step sizes for the temperatures between 0 and 1, `[max(T − 1, 1), batch]`.
    """
    batch = tf.shape(z)[1]
    first = 0.5 * z.shape[-1] ** -0.25
    # At least one element, unused with a single temperature: an empty array of unknown shape cannot be stacked.
    found = tf.TensorArray(z.dtype, tf.maximum(num_steps - 1, 1), element_shape=[z.shape[1]])
    found = found.write(0, tf.zeros([batch], z.dtype))

    def one_step(
        step: tf.Tensor, z: tf.Tensor, log_size: tf.Tensor, found: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
        beta = temperature(step, num_steps, z.dtype)
        noise = fold_in(seed, step)
        moved, accepted = path.move(z, beta, tf.exp(log_size), noise)
        log_size += _GAIN * (tf.reduce_mean(accepted, axis=0) - _TARGET_ACCEPTANCE)
        return step + 1, tf.ensure_shape(moved, z.shape), log_size, found.write(step - 1, tf.exp(log_size))

    start = (tf.constant(1), z, tf.fill([batch], tf.constant(math.log(first), z.dtype)), found)
    *_, found = tf.while_loop(lambda step, *_: step < num_steps, one_step, start, parallel_iterations=1)
    return found.stack()


def anneal(
    path: Path,
    z: tf.Tensor,
    step_sizes: tf.Tensor,
    num_steps: tf.Tensor,
    seed: tf.Tensor,
    reverse: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Anneal chains, and compute their weights.

    Neal (2001), section 2; backwards, Grosse, Ghahramani & Adams (2015).

    Args:
        path: The densities.
        z: Starts of the chains, samples of f_0, or of f_1 if `reverse`, `[chains, batch, latents]`.
        step_sizes: As `tune` returns them.
        num_steps: T, a scalar.
        seed: A stateless seed.
        reverse: Whether to go from f_1 to f_0.

    Returns:
        Log-weights, `[chains, batch]`: the mean of their exponentials is an unbiased estimate of Z_1/Z_0, or of
        Z_0/Z_1 if `reverse`. And the mean probability of acceptance over chains and temperatures, `[batch]`.
    """

    def rise(z: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        """Return log f at the temperature of this place minus log f at that of the place before."""
        steps = (num_steps - place, num_steps - place + 1) if reverse else (place, place - 1)
        new, old = (temperature(step, num_steps, z.dtype) for step in steps)
        return (new - old) * path.log_rise(z)

    def one_step(
        place: tf.Tensor, z: tf.Tensor, log_weights: tf.Tensor, accepted: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        step = num_steps - place if reverse else place
        log_weights += rise(z, place)
        noise = fold_in(seed, place)
        moved, now = path.move(z, temperature(step, num_steps, z.dtype), step_sizes[step - 1], noise)
        return place + 1, tf.ensure_shape(moved, z.shape), log_weights, accepted + tf.reduce_mean(now, axis=0)

    start = (tf.constant(1), z, tf.zeros(tf.shape(z)[:2], z.dtype), tf.zeros(tf.shape(z)[1:2], z.dtype))
    _, z, log_weights, accepted = tf.while_loop(
        lambda place, *_: place < num_steps, one_step, start, parallel_iterations=1
    )
    transitions = tf.cast(tf.maximum(num_steps - 1, 1), z.dtype)
    return log_weights + rise(z, num_steps), accepted / transitions
