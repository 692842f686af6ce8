"""The log-likelihood by samples from the prior, for comparison with importance sampling."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from keras_vae.evaluation.batches import rows_at_once, through
from keras_vae.evaluation.likelihood.estimate import Estimate
from keras_vae.evaluation.likelihood.importance_weights import log_mean_weight
from keras_vae.inference import Inference
from keras_vae.inference.inference import sample_prior
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE


@dataclass(frozen=True, eq=False)
class PriorSampling(Estimate):
    """An estimate of log p(x) for each example from samples from the prior, in nats.

    Attributes:
        per_example: The estimate for each example, `[examples]`.
        num_samples: S.
        effective_samples: Effective number of samples, `[examples]`.
    """

    title: ClassVar[str] = "Log-likelihood by samples from the prior"
    samples: ClassVar[str] = "prior samples"
    # Even if no sample fits x, one has the largest weight: the weights alone do not show the failure.
    alone: ClassVar[str] = (
        "they only show how close the best sample came to x; use log_likelihood or annealed importance sampling"
    )

    @property
    def sampling_error(self) -> float:
        """Upper limit of the standard error of the mean over seeds, because examples can share their samples."""
        return math.nan if self.lower_bound_only else float(np.mean(self.sampling_errors))


def prior_sampling(
    model: VAE,
    data: Any,
    *,
    num_samples: int = 5000,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> PriorSampling:
    """Estimate log p(x) by samples from the prior.

    log p(x) ≈ log 1/S Σ_s p(x|z_s), z_s ~ p(z). This needs no encoder and works for any prior and any latents, but few
    samples from the prior explain a given x: the number needed grows exponentially with KL(p(z|x) ‖ p(z)), the nats
    that z carries about x (Chatterjee & Diaconis 2018, theorem 1.1). With fewer, the estimate is far too low. It is
    here for comparison. Without a condition, the examples of a batch share their samples.

    Args:
        model: A trained VAE.
        data: As in `log_likelihood`.
        num_samples: S, the number of samples.
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of the samples; the same seed gives the same estimate.
        verbose: Whether to show a progress bar.

    Returns:
        The estimate for each example, with its mean, errors and effective sample sizes.

    Raises:
        ValueError: If `num_samples` is not a positive integer, or `VAE.fit` would refuse the data.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> prior_sampling(vae, np.ones([10, 4], "float32"), num_samples=100, verbose=False).per_example.shape
        (10,)
    """
    seed = seed_number(seed, "prior_sampling")
    samples = tf.constant(positive_integer(num_samples, "prior_sampling: num_samples"))

    @compiled
    def estimate(
        x: tf.Tensor, y: tf.Tensor | None, noise: tf.Tensor, samples: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        inference = model.infer(x, condition=y)
        count = tf.shape(x)[0]

        def draw(size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            # Without y, all examples share one z, which is decoded once.
            return inference.log_likelihood(draw_from_prior(inference, size, seed, rows=1 if y is None else count))

        return log_mean_weight(draw, x, num_samples=samples, examples=count, at_once=rows_at_once(model), seed=noise)

    found = []
    for batch in through(model, data, measure="prior sampling", batch_size=batch_size, verbose=verbose):
        noise = streams.derive(seed, "prior_sampling", batch.number)
        found.append([part.numpy() for part in estimate(batch.x, batch.condition, noise, samples)])
    log_p, effective = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return PriorSampling(log_p, num_samples, effective)


def draw_from_prior(inference: Inference, samples: Any, seed: tf.Tensor, *, rows: Any = None) -> Any:
    """Draw z ~ p(z), `[samples, rows, *latent]`, bare or by group.

    Args:
        inference: The model at a batch of x, and of y if the prior depends on it.
        samples: Number of samples for each row.
        seed: A stateless seed.
        rows: Number of rows; by default one for each x. A prior given y has one row per y in any case.

    Example:
        >>> import keras_vae as kv
        >>> inference = kv.models.vae((4,), latent_size=2, hidden=[8]).infer(np.ones([3, 4], "float32"))
        >>> [draw_from_prior(inference, 5, tf.constant([1, 2]), rows=rows).shape for rows in (None, 1)]
        [TensorShape([5, 3, 2]), TensorShape([5, 1, 2])]
    """
    rows = tf.shape(inference.x)[0] if rows is None else rows
    return inference.groups.pack(
        sample_prior(inference.model.prior, inference.prior_path, [samples], rows, seed, inference.training)
    )
