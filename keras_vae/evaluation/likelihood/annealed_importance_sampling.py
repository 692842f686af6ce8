"""The log-likelihood by annealed importance sampling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from keras_vae.evaluation.batches import rows_at_once, through
from keras_vae.evaluation.likelihood import annealing
from keras_vae.evaluation.likelihood.estimate import Estimate
from keras_vae.evaluation.likelihood.importance_weights import effective_samples
from keras_vae.evaluation.result import Row
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import one_line, positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE

_STARTS = ("prior", "posterior")
# Trial chains per example, which find the step sizes.
_TRIALS = 4
# Acceptance rates; outside, steps are too long to be accepted, or too short to move.
_LOW, _HIGH = 0.4, 0.95


@dataclass(frozen=True, eq=False)
class AnnealedLikelihood(Estimate):
    """Estimates of log p(x) by annealed importance sampling, in nats.

    Attributes:
        per_example: The estimate for each example, `[examples]`.
        num_samples: Chains per example.
        effective_samples: Effective number of chains, `[examples]`.
        num_steps: T, the number of temperatures.
        acceptance_rates: Share of accepted transitions, `[examples]`.
    """

    title: ClassVar[str] = "Log-likelihood by annealed importance sampling"
    samples: ClassVar[str] = "chains"
    increase: ClassVar[str] = "temperatures"
    alone: ClassVar[str] = "use more temperatures"

    num_steps: int
    acceptance_rates: np.ndarray

    def table(self) -> Sequence[Row]:
        """Return mean, errors, effective number of chains and acceptance rate."""
        return [
            *super().table(),
            ("temperatures", str(self.num_steps)),
            ("accepted transitions", f"{100 * np.mean(self.acceptance_rates):.0f} %"),
        ]

    def warnings(self) -> Sequence[str]:
        """Warn if the estimate cannot be trusted."""
        found = list(super().warnings())
        outside = np.mean((self.acceptance_rates < _LOW) | (self.acceptance_rates > _HIGH))
        if self.num_steps > 1 and outside > 0.05:
            found.append(
                f"for {100 * outside:.0f} % of the examples the share of accepted transitions is outside {_LOW} to "
                f"{_HIGH}: the step sizes did not adapt; use more temperatures"
            )
        return found


def annealed_importance_sampling(
    model: VAE,
    data: Any,
    *,
    num_steps: int = 1000,
    num_chains: int = 16,
    leapfrog_steps: int = 10,
    start: str = "prior",
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> AnnealedLikelihood:
    """Estimate log p(x) by annealed importance sampling with Hamiltonian transitions.

    Chains go from the prior through f_β(z) = p(z) p(x|z)^β to p(x, z), with a Hamiltonian transition (TFP) at each of T
    temperatures, and their weights are an unbiased estimate of p(x) (Neal 2001, section 2; for decoders Wu et al.
    2017). The estimate of log p(x) is therefore below log p(x) on average, for any encoder: unlike `log_likelihood`, it
    does not depend on q(z|x) covering the posterior, but takes far longer.

    Step sizes for each example and temperature are found by trial chains, which are then discarded, with an acceptance
    rate of 0.65 as the goal: steps adapted to the chains themselves would bias the estimate.

    Args:
        model: A trained VAE with real latents.
        data: As in `log_likelihood`.
        num_steps: T, the number of temperatures; the more, the closer to log p(x).
        num_chains: Chains per example.
        leapfrog_steps: Gradients per transition.
        start: `"prior"`, or `"posterior"` to start from q(z|x), which is closer but depends on the encoder; slow for an
            `InverseAutoregressiveFlow`, whose density at a given z takes one pass per latent.
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of all noise; the same seed gives the same estimate.
        verbose: Whether to show a progress bar.

    Returns:
        The estimate for each example, with its errors, effective number of chains and acceptance rate.

    Raises:
        ValueError: If an argument is invalid, the latents are not real, or `VAE.fit` would refuse the data.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> x = np.ones([3, 4], "float32")
        >>> found = annealed_importance_sampling(vae, x, num_steps=5, num_chains=12, verbose=False)
        >>> found.per_example.shape
        (3,)
    """
    name = "annealed_importance_sampling"
    seed = seed_number(seed, name)
    settings = read_settings(
        name, model, num_steps=num_steps, num_chains=num_chains, leapfrog_steps=leapfrog_steps, start=start
    )
    at_once = max(1, rows_at_once(model) // settings.chains)

    @compiled
    def estimate(x: tf.Tensor, y: tf.Tensor | None, seed: tf.Tensor, num_steps: tf.Tensor) -> tuple[tf.Tensor, ...]:
        path, z, step_sizes, noise = prepare(model, x, y, seed, num_steps, settings)
        log_weights, accepted = annealing.anneal(path, z, step_sizes, num_steps, noise)
        return *log_mean_and_effective(log_weights), accepted

    found = []
    for batch in through(model, data, measure="annealed importance sampling", batch_size=batch_size, verbose=verbose):
        for first in range(0, len(batch.x), at_once):
            part = slice(first, first + at_once)
            noise = streams.derive(seed, name, batch.number, first)
            y = None if batch.condition is None else batch.condition[part]
            found.append([array.numpy() for array in estimate(batch.x[part], y, noise, tf.constant(settings.steps))])
    log_p, chains, accepted = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return AnnealedLikelihood(log_p, settings.chains, chains, settings.steps, accepted)


@dataclass(frozen=True)
class Settings:
    """The checked arguments of both annealed measures."""

    steps: int
    chains: int
    leapfrog_steps: int
    from_posterior: bool


def read_settings(
    name: str, model: VAE, *, num_steps: int, num_chains: int, leapfrog_steps: int, start: str
) -> Settings:
    """Check the arguments of an annealed measure.

    Raises:
        ValueError: If one is invalid, or the latents of the model are not real.
    """
    steps = positive_integer(num_steps, f"{name}: num_steps")
    chains = positive_integer(num_chains, f"{name}: num_chains")
    leapfrog_steps = positive_integer(leapfrog_steps, f"{name}: leapfrog_steps")
    if start not in _STARTS:
        raise ValueError(
            f"{name}: start is unknown: expected one of {', '.join(map(repr, _STARTS))}, received {one_line(start)}"
        )
    for family in model.encoder.families.values():
        if not family.support.real:
            raise ValueError(
                f"{name}: Hamiltonian transitions need real latents: expected a model with real latents, received the "
                f"{family.support.name} latents of {type(family).__name__}. Use log_likelihood or prior_sampling"
            )
    return Settings(steps, chains, leapfrog_steps, start == "posterior")


def prepare(
    model: VAE, x: tf.Tensor, y: tf.Tensor | None, seed: tf.Tensor, num_steps: tf.Tensor, settings: Settings
) -> tuple[annealing.Path, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the path, the starts of its chains, its step sizes, and a seed for the chains."""
    inference = model.infer(x, condition=y)
    path = annealing.path(inference, settings.leapfrog_steps, settings.from_posterior)
    trial_start, trial, start, noise = tf.unstack(tf.random.experimental.stateless_split(seed, 4))
    trials = annealing.draw_start(inference, _TRIALS, trial_start, settings.from_posterior)
    z = annealing.draw_start(inference, settings.chains, start, settings.from_posterior)
    return path, z, annealing.tune(path, trials, num_steps, trial), noise


def log_mean_and_effective(log_weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the log of the mean weight and the effective number, `[batch]`, from log-weights `[chains, batch]`."""
    log_sum = tf.reduce_logsumexp(log_weights, axis=0)
    chains = tf.cast(tf.shape(log_weights)[0], log_sum.dtype)
    return log_sum - tf.math.log(chains), effective_samples(log_sum, tf.reduce_logsumexp(2.0 * log_weights, axis=0))
