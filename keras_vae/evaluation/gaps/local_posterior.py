"""The best posterior q* of each example within a family, found by Adam."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tqdm import tqdm

from keras_vae.evaluation.batches import rows_at_once
from keras_vae.evaluation.likelihood.importance_weights import in_chunks
from keras_vae.families.base import Family
from keras_vae.families.full_normal import FullNormal
from keras_vae.families.normal import Normal
from keras_vae.families.planar_flow import PlanarFlow
from keras_vae.inference import Inference
from keras_vae.inference.densities import total
from keras_vae.utils.compiled import compiled
from keras_vae.utils.seeds import fold_in
from keras_vae.vae import VAE

# Adam steps between two evaluations of the bound.
_EVERY = 100
# Samples of one evaluation, with the same noise each time, so that differences are not noise.
_LOOK_SAMPLES = 100
# Nats; a smaller rise does not count.
_RISE = 0.01
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
# Initial scale of the maps of a flow, whose gradients would vanish at zero.
_DEVIATION = 0.1


@dataclass(frozen=True, eq=False)
class LocalPosteriors:
    """q* of each example of a batch.

    Attributes:
        encoder: The unconstrained values that the encoder predicts, `[batch, *parameters]`, if q* is of its family.
        local: The unconstrained values of q*, of its own family.
        steps: Adam steps of the slowest search.
        settled: Whether the bound had stopped rising, `[batch]`.
    """

    encoder: tf.Tensor | None
    local: tf.Tensor
    steps: int
    settled: np.ndarray


def log_weights(
    inference: Inference, family: Family, values: tf.Tensor, num_samples: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Return log p(x, z) − log q(z) at samples of q, `[num_samples, batch]`, in nats.

    Args:
        inference: The inference of the batch.
        family: The family of q; over all latents side by side, if there are several groups.
        values: The unconstrained values of q, `[batch, *parameters]`.
        num_samples: Number of samples.
        seed: A stateless seed.
    """
    q = family.distribution(family(values))
    # Together, because a flow knows the density of its own sample at no cost.
    z, log_q = q.experimental_sample_and_log_prob(num_samples, seed=seed)
    groups = inference.groups
    return inference.densities(groups.unflatten(z) if groups.several else z).log_joint - log_q


def encoder_log_weights(inference: Inference, num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return log p(x, z) − log q(z|x) at samples of the encoder's posterior, `[num_samples, batch]`, in nats."""
    z, log_q = inference.sample_and_log_posterior(num_samples, seed)
    return inference.densities(z).log_joint - total(log_q.values())


class LocalOptimizer:
    """Maximizes the ELBO of each example by Adam on the unconstrained values of its posterior, from the encoder's on.

    With another family than the encoder's, it starts at or near the normal with the encoder's mean and scale.

    The search ends when several evaluations in a row show no rise, as in Cremer, Li & Duvenaud (2018). Examples are
    searched in a batch, and each leaves it when it has converged. An evaluation uses the mean of the last hundred
    steps, which is less noisy than the last step, and other noise than the steps.

    Args:
        model: The VAE.
        family: The family of q*.
        learning_rate: Learning rate of Adam.
        step_samples: Samples z per example and step.
        patience: Evaluations without a rise before the search ends.
        max_steps: Largest number of steps.
    """

    def __init__(
        self, model: VAE, family: Family, *, learning_rate: float, step_samples: int, patience: int, max_steps: int
    ) -> None:
        self.model = model
        self.family = family
        self.of_encoder = any(family is each for each in model.encoder.families.values())
        self.learning_rate = learning_rate
        self.step_samples = step_samples
        self.patience = patience
        self.max_steps = max_steps
        self._begin = compiled(self._start)
        self._go_on = compiled(self._advance)

    def fit(self, x: tf.Tensor, y: tf.Tensor | None, seed: tf.Tensor, verbose: bool = False) -> LocalPosteriors:
        """Find q* for each x of a batch, `[batch, *event]`."""
        look_noise, noise = tf.unstack(tf.random.experimental.stateless_split(seed))
        values, first = self._begin(x, y, look_noise)
        encoder = values if self.of_encoder else None
        best, best_look, last_look = values.numpy(), first.numpy(), first.numpy()
        stale = np.zeros(len(best), int)
        searched = np.arange(len(best))  # still searched; what follows is for these
        moments = [tf.zeros_like(values), tf.zeros_like(values)]
        steps = 0
        with tqdm(desc="local posteriors", unit="evaluation", leave=False, disable=not verbose) as progress:
            while steps < self.max_steps and len(searched):
                until = min(steps + _EVERY, self.max_steps)
                values, moments, average, look = self._go_on(
                    x, y, values, moments, tf.constant(steps), tf.constant(until), noise, look_noise
                )
                steps = until
                last_look[searched] = look.numpy()
                # Smaller rises can be noise; False where the bound is NaN.
                rose = last_look[searched] > best_look[searched] + _RISE
                best[searched[rose]] = average.numpy()[rose]
                best_look[searched[rose]] = last_look[searched[rose]]
                stale[searched] = np.where(rose, 0, stale[searched] + 1)
                going = stale[searched] < self.patience
                if not going.all():
                    searched = searched[going]
                    x, values, *moments = (tf.boolean_mask(part, going) for part in (x, values, *moments))
                    y = None if y is None else tf.boolean_mask(y, going)
                progress.update()
                progress.set_postfix_str(f"{np.mean(best_look - first):.2f} nats gained, {len(searched)} not converged")
        # A search that ended at NaN has found nothing.
        settled = (stale >= self.patience) & np.isfinite(last_look)
        return LocalPosteriors(encoder, tf.constant(best), steps, settled)

    def _start(self, x: tf.Tensor, y: tf.Tensor | None, look_noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inference = self.model.infer(x, condition=y)
        if self.of_encoder:
            values = self.model.encoder.unconstrained(inference.encoder_input, inference.condition)
        else:
            loc, scale = (self.model.latents.flatten(part) for part in _moments(inference))
            values = starting_values(self.family, loc, scale, look_noise)
        return values, self._look(inference, values, look_noise)

    def _look(self, inference: Inference, values: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        total = in_chunks(
            lambda size, seed: log_weights(inference, self.family, values, size, seed),
            lambda total, drawn: total + tf.reduce_sum(drawn, axis=0),
            tf.zeros(tf.shape(values)[:1], values.dtype),
            num_samples=tf.constant(_LOOK_SAMPLES),
            examples=tf.shape(values)[0],
            at_once=rows_at_once(self.model),
            seed=noise,
        )
        return total / _LOOK_SAMPLES

    def _advance(
        self,
        x: tf.Tensor,
        y: tf.Tensor | None,
        values: tf.Tensor,
        moments: list[tf.Tensor],
        done: tf.Tensor,
        until: tf.Tensor,
        noise: tf.Tensor,
        look_noise: tf.Tensor,
    ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor, tf.Tensor]:
        inference = self.model.infer(x, condition=y)

        def one_step(
            step: tf.Tensor, values: tf.Tensor, first: tf.Tensor, second: tf.Tensor, total: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            seed = fold_in(noise, step)
            with tf.GradientTape() as tape:
                tape.watch(values)
                bound = tf.reduce_mean(log_weights(inference, self.family, values, self.step_samples, seed), axis=0)
            gradient = tape.gradient(bound, values)
            first = _BETA_1 * first + (1.0 - _BETA_1) * gradient
            second = _BETA_2 * second + (1.0 - _BETA_2) * gradient**2
            taken = tf.cast(step + 1, values.dtype)
            slope = first / (1.0 - _BETA_1**taken)
            size = tf.sqrt(second / (1.0 - _BETA_2**taken)) + _EPSILON
            values += self.learning_rate * slope / size
            return step + 1, values, first, second, total + values

        start = (done, values, *moments, tf.zeros_like(values))
        _, values, first, second, total = tf.while_loop(
            lambda step, *_: step < until, one_step, start, parallel_iterations=1
        )
        average = total / tf.cast(until - done, total.dtype)
        return values, [first, second], average, self._look(inference, average, look_noise)


def _moments(inference: Inference) -> tuple[Any, Any]:
    """Return the means and scales of the encoder's posterior, `[batch, *latent]`, bare or by group."""
    parameters, _ = inference.points()
    families = inference.model.encoder.families
    means = {name: family.mean(parameters[name]) for name, family in families.items()}
    scales = {name: family.scale(parameters[name]) for name, family in families.items()}
    return inference.groups.pack(means), inference.groups.pack(scales)


def starting_values(family: Family, loc: tf.Tensor, scale: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return unconstrained values whose distribution is, or is near, the diagonal normal N(loc, scale²).

    Args:
        family: `Normal` with a predicted scale, `FullNormal` or `PlanarFlow`, over vectors.
        loc: Means, `[batch, D]`.
        scale: Standard deviations, `[batch, D]`.
        seed: Seed of the maps of a flow, which start near the identity.

    Returns:
        `[batch, *family.parameters_shape]`.

    Raises:
        ValueError: If it is another family.
    """
    log_scale = tf.math.log(scale)
    if isinstance(family, Normal) and family.scale_spec == "predicted":
        return tf.stack([loc, 2.0 * log_scale], axis=-1)
    if isinstance(family, FullNormal):
        triangle = tfp.math.fill_triangular_inverse(tf.linalg.diag(log_scale))
        return tf.concat([loc, triangle], axis=-1)
    if isinstance(family, PlanarFlow):
        maps = family.parameters_shape[0] - 2 * family.size
        shape = tf.concat([tf.shape(loc)[:-1], [maps]], axis=0)
        noise = _DEVIATION * tf.random.stateless_normal(shape, seed, dtype=loc.dtype)
        return tf.concat([loc, 2.0 * log_scale, noise], axis=-1)
    raise ValueError(
        "inference_gaps: q* cannot be of this family: expected Normal with a predicted scale, FullNormal or "
        f"PlanarFlow, whose values all belong to one example, received {type(family).__name__}"
    )
