"""The log-likelihood by importance sampling."""

import weakref
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.evaluation.batches import checked, rows_at_once
from keras_vae.evaluation.likelihood.estimate import Estimate
from keras_vae.evaluation.likelihood.importance_weights import log_mean_weight
from keras_vae.trainer import input_checks
from keras_vae.utils import replicas
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE


@dataclass(frozen=True, eq=False)
class LogLikelihood(Estimate):
    """An importance-sampled estimate of log p(x) for each example of a data set, in nats.

    Attributes:
        per_example: The estimate for each example, `[examples]`.
        num_samples: S, the number of samples per example.
        effective_samples: Effective number of samples, `[examples]`.
    """

    title: ClassVar[str] = "Log-likelihood by importance sampling (a lower bound on average)"
    samples: ClassVar[str] = "importance samples"


def log_likelihood(
    model: VAE,
    data: Any,
    *,
    num_samples: int = 5000,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> LogLikelihood:
    """Estimate log p(x) by importance sampling from the posterior.

    log p(x) ≈ log 1/S Σ_s p(x, z_s) / q(z_s|x), z_s ~ q(z|x): Rezende, Mohamed & Wierstra (2014), appendix E;
    the bound L_S of Burda, Grosse & Salakhutdinov (2016), equation 8. On average it is below log p(x) and rises
    toward it with S. Sums are taken in log space, a chunk of samples at a time, so memory does not grow with
    `num_samples`.

    Args:
        model: A trained VAE.
        data: Arrays `[n, *event]`, or a batched `tf.data.Dataset` of x or (x, y). For a conditional model (x, y),
            arrays or batches; the estimate is then of log p(x|y).
        num_samples: S, the number of samples per example.
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of the samples; the same seed gives the same estimate.
        verbose: Whether to show a progress bar.

    Returns:
        The estimate for each example, with its mean, errors and effective sample sizes; it warns if the weights vary
        too much.

    Raises:
        ValueError: If `num_samples` is not a positive integer, or `VAE.fit` would refuse the data.

    Example:
        >>> import numpy as np
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> result = kv.evaluation.log_likelihood(vae, np.ones([10, 4], "float32"), num_samples=100, verbose=False)
        >>> result.per_example.shape
        (10,)
    """
    seed = seed_number(seed, "log_likelihood")
    num_samples = positive_integer(num_samples, "log_likelihood: num_samples")
    estimate, samples = _compiled(model), tf.constant(num_samples)
    found = []
    with input_checks.clear_errors():
        strategy = model.distribute_strategy
        batches = replicas.shared_out(strategy, checked(model, data, batch_size))
        progress = tqdm(batches, desc="log-likelihood", unit="batch", disable=not verbose)
        for number, batch in enumerate(progress):
            x = batch[0] if isinstance(batch, tuple) else batch
            y = batch[1] if model.condition is not None else None
            noise = streams.derive(seed, "log_likelihood", number)
            estimated = strategy.run(estimate, args=(x, y, noise, samples))
            found.append([replicas.gathered(strategy, part) for part in estimated])
            progress.set_postfix_str(f"{np.mean(np.concatenate([log_p for log_p, _ in found])):.2f} nats")
    if not found:
        raise ValueError("log_likelihood: the data are empty: expected at least one example, received none")
    log_p, effective = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return LogLikelihood(log_p, num_samples, effective)


# Tracing takes longer than a small estimate, and training may ask for one after each epoch.
_FUNCTIONS: weakref.WeakKeyDictionary[VAE, Any] = weakref.WeakKeyDictionary()


def _compiled(model: VAE) -> Any:
    """Return the compiled function of x, y, a seed and S to log p(x) and its ESS, `[batch]`; made once per model."""
    if model not in _FUNCTIONS:
        alive = weakref.ref(model)  # so that the function does not keep its model

        def estimate(*args: Any) -> tuple[tf.Tensor, tf.Tensor]:
            found = alive()
            assert found is not None, "its caller holds it"
            return _estimate(found, *args)

        _FUNCTIONS[model] = compiled(estimate)
    return _FUNCTIONS[model]


def _estimate(
    model: VAE, x: tf.Tensor, y: tf.Tensor | None, seed: tf.Tensor, num_samples: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    x = tf.cast(x, model.decoder.family.variable_dtype)
    inference = model.infer(x, condition=y)
    return log_mean_weight(
        lambda size, noise: inference.log_weights(inference.sample(size, noise)),
        x,
        num_samples=num_samples,
        # Of the global batch, so that the numbers are the same on any number of replicas.
        examples=tf.shape(x)[0] if inference.rows is None else inference.rows.total,
        at_once=rows_at_once(model),
        seed=seed,
    )
