"""The log-likelihood by samples from the prior, for comparison with importance sampling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.evaluation.batches import rows_at_once, through
from keras_vae.evaluation.likelihood.estimate import Estimate
from keras_vae.evaluation.likelihood.importance_weights import log_mean_weight
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
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
        "the estimate only shows how close the best sample came to x, and its errors are too small; use log_likelihood"
    )

    @property
    def sampling_error(self) -> float:
        """Upper limit of the standard error of the mean over seeds, because examples can share their samples."""
        return float(np.mean(self.sampling_errors))


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

    @tf.function(reduce_retracing=True)
    def estimate(
        x: tf.Tensor, y: tf.Tensor | None, noise: tf.Tensor, samples: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        prior = model.prior_distribution(condition=y)
        count = tf.shape(x)[0]

        def draw(size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            # Without y, all examples share one z, which is decoded once.
            z = draw_from_prior(prior, [size], 1 if y is None else count, seed)
            return model.likelihood(z, condition=y).log_prob(x)

        return log_mean_weight(draw, x, num_samples=samples, examples=count, at_once=rows_at_once(model), seed=noise)

    found = []
    for batch in through(model, data, measure="prior sampling", batch_size=batch_size, verbose=verbose):
        noise = streams.fold(seed, streams.EVALUATE, batch.number)
        found.append([part.numpy() for part in estimate(batch.x, batch.condition, noise, samples)])
    log_p, effective = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return PriorSampling(log_p, num_samples, effective)


def draw_from_prior(prior: tfd.Distribution, samples: Sequence[Any], count: Any, seed: tf.Tensor) -> tf.Tensor:
    """Draw z, `[*samples, count, *latent]`; a prior given y already has one row per y.

    Args:
        prior: `VAE.prior_distribution`.
        samples: Shape of the samples per row.
        count: Number of rows.
        seed: A stateless seed.

    Example:
        >>> prior = tfd.MultivariateNormalDiag(tf.zeros(2))
        >>> given = tfd.MultivariateNormalDiag(tf.zeros([3, 2]))
        >>> [draw_from_prior(p, [5], 3, tf.constant([1, 2])).shape for p in (prior, given)]
        [TensorShape([5, 3, 2]), TensorShape([5, 3, 2])]
    """
    return prior.sample([*samples] if prior.batch_shape.rank else [*samples, count], seed=seed)
