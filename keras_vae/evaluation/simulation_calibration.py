"""Simulation-based calibration: whether the posterior is right where the truth is known."""

from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae import seeds as streams
from keras_vae.checks import positive_integer, seed_number
from keras_vae.evaluation import prior_draws
from keras_vae.evaluation.importance import effective as effective_number
from keras_vae.evaluation.pieces import rows_at_once
from keras_vae.evaluation.simulation_calibration_result import JOINT, SimulationCalibration
from keras_vae.families.support import OPEN_UNIT_INTERVAL, REAL, UNIT_INTERVAL
from keras_vae.vae import VAE


def simulation_calibration(
    model: VAE,
    num_simulations: int = 1000,
    num_draws: int = 99,
    *,
    importance_samples: int | None = None,
    condition: Any = None,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> SimulationCalibration:
    """Test the posterior on data from the model itself, whose latents are known.

    z ~ p(z), x ~ p(x|z), then L draws from q(z|x): were q the exact posterior, the rank of each latent of z among its
    draws would be uniform on 0 … L (Talts, Betancourt, Simpson, Vehtari & Gelman 2018, theorem 1). Each latent gets a
    chi-square test of that, and so does log p(x, z), without which a q(z|x) that ignores x and equals the prior would
    pass (Modrák et al. 2023). The p-values are Bonferroni's, multiplied by the number of tests.

    It needs no data, and says nothing of the model's fit: only how good the inference is *under* the model. No VAE's
    encoder is exact, and enough simulations find fault with any; the offset and the spread say how large the fault is:
    the truth lies `offset` posterior standard deviations above the posterior's median on average (below 0: the
    posterior is biased high), and varies about that `spread` times as widely as the posterior says (above 1: it is
    overconfident; an error of the mean that differs from x to x widens the ranks as well).

    Args:
        model: A VAE with continuous latents.
        num_simulations: How many pairs (x, z) to simulate.
        num_draws: L, draws from each posterior.
        importance_samples: If given, the L draws are resampled from this many, with weights p(x, z)/q(z|x) (Rubin
            1988): the posterior that `log_likelihood` in effect uses, nearer to the exact one the more there are. The
            same sample comes up several times among the draws where few weigh much, and ranks then crowd at both
            ends, as overconfident ones do: it warns where the effective samples are not ten times the draws.
        condition: y for all simulations, or one for each, `[num_simulations, ...]`; for a conditional model.
        batch_size: At most this many simulations at once; fewer if their draws would take much memory.
        seed: Of all noise.
        verbose: Whether to show a progress bar.

    Returns:
        Counts of ranks, p-values, offsets and spreads.

    Raises:
        ValueError: If the latents are discrete, a number is no positive integer, there are fewer importance samples
            than draws, or the condition is none of the model's.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> found = simulation_calibration(vae, 200, 19, verbose=False)
        >>> found.names, found.counts.shape
        (('latent 0', 'latent 1', 'log p(x, z)'), (3, 20))
    """
    owner = "simulation_calibration"
    family = model.encoder.family
    if family.support not in (REAL, UNIT_INTERVAL, OPEN_UNIT_INTERVAL):
        raise ValueError(
            f"{owner}: ranks want continuous latents; received a {type(family).__name__} posterior, whose latents are "
            f"{family.support.name}. Use a model with continuous latents, such as keras_vae.families.Normal"
        )
    num_simulations = positive_integer(num_simulations, f"{owner}: num_simulations")
    seed = seed_number(seed, owner)
    num_draws = positive_integer(num_draws, f"{owner}: num_draws")
    proposals = num_draws
    if importance_samples is not None:
        proposals = positive_integer(importance_samples, f"{owner}: importance_samples")
        if proposals < num_draws:
            raise ValueError(
                f"{owner}: {num_draws} draws are resampled from importance_samples={proposals}; wanted at least as many"
            )
    if model.condition is not None:
        condition = model.condition.rows(condition, num_simulations)
    elif condition is not None:
        raise ValueError(f"{owner}: received a condition, but the model has none")

    @tf.function(reduce_retracing=True)
    def simulate(count: tf.Tensor, y: tf.Tensor | None, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _ranks(model, count, y, noise, num_draws, importance_samples)

    at_once = min(positive_integer(batch_size, f"{owner}: batch_size"), max(1, rows_at_once(model) // proposals))
    starts = range(0, num_simulations, at_once)
    found = []
    for number, start in enumerate(tqdm(starts, desc="calibration", unit="batch", disable=not verbose)):
        count = min(at_once, num_simulations - start)
        y = None if condition is None else tf.constant(condition[start : start + count])
        of_batch = simulate(tf.constant(count), y, streams.fold(seed, streams.EVALUATE, number))
        found.append([part.numpy() for part in of_batch])
    ranks, effective = (np.concatenate(parts) for parts in zip(*found, strict=True))
    names = [f"latent {', '.join(map(str, index))}" for index in np.ndindex(*model.latent_shape)]
    weighed = None if importance_samples is None else effective
    return SimulationCalibration.of_ranks(ranks, [*names, JOINT], num_draws, importance_samples, weighed)


def _ranks(
    model: VAE,
    count: tf.Tensor,
    y: tf.Tensor | None,
    seed: tf.Tensor,
    num_draws: int,
    importance_samples: int | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the ranks of each latent and of log p(x, z), `[count, latents + 1]`, and effective samples, `[count]`."""
    of_z, of_x, of_draws, of_picks, of_ties = tf.unstack(tf.random.experimental.stateless_split(seed, 5))
    prior = model.prior_distribution(condition=y)
    truth = prior_draws.draw(prior, [], count, of_z)
    x = model.likelihood(truth, condition=y).sample(seed=of_x)
    inference = model.infer(x, y)

    def quantities(z: tf.Tensor) -> tf.Tensor:
        joint = inference.log_likelihood(z) + inference.prior.log_prob(z)
        latents = tf.reshape(z, tf.concat([tf.shape(joint), [-1]], 0))
        return tf.transpose(tf.concat([latents, joint[..., None]], -1), [1, 0, 2])

    draws = inference.sample(importance_samples or num_draws, of_draws)
    values = quantities(draws)  # [count, draws, latents + 1]
    effective = tf.fill([count], tf.constant(num_draws, values.dtype))
    if importance_samples is not None:
        log_weights = values[..., -1] - tf.transpose(inference.posterior.log_prob(draws))
        picked = tf.random.stateless_categorical(log_weights, num_draws, of_picks)
        values = tf.gather(values, picked, batch_dims=1)
        log_sums = [tf.reduce_logsumexp(power * log_weights, axis=1) for power in (1.0, 2.0)]
        effective = effective_number(*log_sums)
    true_values = quantities(truth[None])
    below = tf.reduce_sum(tf.cast(values < true_values, tf.int32), axis=1)
    ties = tf.reduce_sum(tf.cast(tf.equal(values, true_values), tf.int32), axis=1)
    # Equal values, such as log p(x, z) of a decoder that ignores z, are ordered at random.
    lots = tf.random.stateless_uniform(tf.shape(ties), of_ties)
    return below + tf.cast(tf.floor(lots * tf.cast(ties + 1, lots.dtype)), tf.int32), effective
