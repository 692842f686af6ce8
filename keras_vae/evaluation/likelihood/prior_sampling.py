"""The log-likelihood by samples of the prior: what importance sampling saves us from."""

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
    """An estimate of log p(x) for each example from samples of the prior, in nats.

    Attributes:
        per_example: The estimate for each example, `[examples]`.
        num_samples: S.
        effective_samples: How many samples of the exact posterior would be as good, `[examples]`.
    """

    title: ClassVar[str] = "Log-likelihood by samples of the prior"
    samples: ClassVar[str] = "prior samples"
    # A sample that fits no x well still has the best weight of all: the weights alone do not show it.
    alone: ClassVar[str] = (
        "the estimate says how near to x the nearest of the samples came, and its own errors are too small; use "
        "log_likelihood"
    )

    @property
    def sampling_error(self) -> float:
        """The largest that the mean's standard error over seeds can be: examples may share their samples."""
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
    """Estimate log p(x) by samples of the prior.

    log p(x) ≈ log 1/S Σ_s p(x|z_s), z_s ~ p(z). It needs no encoder and goes with any prior and any latents, but
    few z of the prior explain a given x: the number of samples it takes grows exponentially with the nats that z
    carries about x, KL(p(z|x) ‖ p(z)) (Chatterjee & Diaconis 2018, theorem 1.1). Below that it lies far too low. Here
    for contrast. Of a model without a condition, the examples of a batch share their samples.

    Args:
        model: A trained VAE.
        data: As in `log_likelihood`.
        num_samples: S.
        batch_size: For arrays; a dataset keeps its own.
        seed: Of the samples; the same seed repeats the estimate.
        verbose: Whether to show a progress bar.

    Returns:
        The estimate for each example, its mean, errors and effective sample sizes.

    Raises:
        ValueError: If `num_samples` is not a positive integer, or data is refused as in `VAE.fit`.

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
            # One z for all examples is decoded once; but not where the decoder or the prior is given y.
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
    """Draw z, `[*samples, count, *latent]`; a prior given y has the rows of y already, and their count.

    Args:
        prior: `VAE.prior_distribution`.
        samples: Shape of the samples for each row.
        count: How many rows.
        seed: A stateless seed.

    Example:
        >>> prior = tfd.MultivariateNormalDiag(tf.zeros(2))
        >>> given = tfd.MultivariateNormalDiag(tf.zeros([3, 2]))
        >>> [draw_from_prior(p, [5], 3, tf.constant([1, 2])).shape for p in (prior, given)]
        [TensorShape([5, 3, 2]), TensorShape([5, 3, 2])]
    """
    return prior.sample([*samples] if prior.batch_shape.rank else [*samples, count], seed=seed)
