"""The log-likelihood by importance sampling."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.evaluation.batches import checked
from keras_vae.evaluation.estimate import Estimate
from keras_vae.evaluation.result import rows_at_once
from keras_vae.trainer import input_checks
from keras_vae.utils import replicas
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.vae import VAE


@dataclass(frozen=True, eq=False)
class LogLikelihood(Estimate):
    """An importance-sampled estimate of log p(x) for each example of a data set, in nats.

    Attributes:
        per_example: The estimate for each example, `[examples]`.
        num_samples: S, samples for each example.
        effective_samples: How many samples of the exact posterior would be as good, `[examples]`.
    """

    title: ClassVar[str] = "Log-likelihood by importance sampling, on average a lower bound"
    samples: ClassVar[str] = "importance samples"


def log_likelihood(
    model: VAE,
    data: Any,
    num_samples: int = 5000,
    *,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> LogLikelihood:
    """Estimate log p(x) by importance sampling from the posterior.

    log p(x) ≈ log 1/S Σ_s p(x, z_s) / q(z_s|x), z_s ~ q(z|x): Rezende, Mohamed & Wierstra (2014), appendix E;
    as the bound L_S of Burda, Grosse & Salakhutdinov (2016), equation 8. On average it lies below log p(x)
    and rises towards it with S. Sums are taken in log space, a chunk of samples at a time, so memory does
    not grow with `num_samples`.

    Args:
        model: A trained VAE.
        data: Arrays `[n, *event]`, or a batched `tf.data.Dataset` of x or (x, y). For a conditional model (x, y),
            arrays or batches; the estimate is then of log p(x|y).
        num_samples: S, the number of samples for each example.
        batch_size: For arrays; a dataset keeps its own.
        seed: Of the samples; the same seed repeats the estimate.
        verbose: Whether to show a progress bar.

    Returns:
        The estimate for each example, its mean, errors and effective sample sizes; it warns where the weights vary too
        much.

    Raises:
        ValueError: If `num_samples` is not a positive integer, or data is refused as in `VAE.fit`.

    Example:
        >>> import numpy as np
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> result = kv.evaluation.log_likelihood(vae, np.ones([10, 4], "float32"), 100, verbose=False)
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
            noise = streams.fold(seed, streams.EVALUATE, number)
            estimated = strategy.run(estimate, args=(x, y, noise, samples))
            found.append([replicas.gathered(strategy, part) for part in estimated])
            progress.set_postfix_str(f"{np.mean(np.concatenate([log_p for log_p, _ in found])):.2f} nats")
    if not found:
        raise ValueError("log_likelihood: the data holds no examples; wanted at least one")
    log_p, effective = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return LogLikelihood(log_p, num_samples, effective)


def _compiled(model: VAE) -> Any:
    """Return the compiled function of x, y, a seed and S to log p(x) and its ESS, `[batch]`. Made once a model."""
    if "_log_likelihood" not in vars(model):
        model._log_likelihood = tf.function(functools.partial(_estimate, model), reduce_retracing=True)
    return model._log_likelihood


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


Draw = Callable[[tf.Tensor, tf.Tensor], Any]


def in_chunks(
    draw: Draw,
    add: Callable[[Any, Any], Any],
    start: Any,
    *,
    num_samples: tf.Tensor,
    examples: tf.Tensor,
    at_once: int,
    seed: tf.Tensor,
) -> Any:
    """Draw samples a chunk at a time and add up what they give.

    Args:
        draw: From a chunk's size and a stateless seed to what its samples give, such as `[size, batch]` log-weights.
        add: From the sums so far and what `draw` returned to the new sums.
        start: The sums of no samples, a structure of tensors.
        num_samples: How many for each example, a scalar.
        examples: How many examples each sample is drawn for, a scalar.
        at_once: How many (sample, example) pairs may be decoded in one piece, as `rows_at_once` says.
        seed: Folded with the number of samples done.

    Returns:
        The sums.
    """
    chunk = tf.clip_by_value(at_once // examples, 1, num_samples)

    def one_chunk(done: tf.Tensor, sums: Any) -> tuple[tf.Tensor, Any]:
        size = tf.minimum(chunk, num_samples - done)
        return done + size, add(sums, draw(size, tf.random.experimental.stateless_fold_in(seed, done)))

    _, sums = tf.while_loop(
        lambda done, _: done < num_samples, one_chunk, (tf.constant(0), start), parallel_iterations=1
    )
    return sums


def log_mean_weight(
    draw: Draw,
    like: tf.Tensor,
    *,
    num_samples: tf.Tensor,
    examples: tf.Tensor,
    at_once: int,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return log 1/S Σ_s w_s and the effective number of samples, (Σ w)² / Σ w².

    The effective sample size is Kong's (1992): between 1, one sample outweighs all others, and S, all weigh the same.

    Args:
        draw: From a chunk's size and a seed to log w, `[size, batch]`.
        like: `[batch, ...]`, in the weights' dtype.
        num_samples: S, a scalar.
        examples: As in `in_chunks`.
        at_once: As there.
        seed: A stateless seed.

    Returns:
        Both `[batch]`; without any weight above 0, −∞ and 0.
    """
    empty = tf.fill(tf.shape(like)[:1], tf.constant(-math.inf, like.dtype))

    def add(sums: tuple[tf.Tensor, tf.Tensor], log_weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        log_sum, log_squares = sums
        return (
            tf.reduce_logsumexp(tf.concat([log_sum[None], log_weights], 0), axis=0),
            tf.reduce_logsumexp(tf.concat([log_squares[None], 2.0 * log_weights], 0), axis=0),
        )

    log_sum, log_squares = in_chunks(
        draw,
        add,
        (empty, empty),
        num_samples=num_samples,
        examples=examples,
        at_once=at_once,
        seed=seed,
    )
    return log_sum - tf.math.log(tf.cast(num_samples, like.dtype)), effective(log_sum, log_squares)


def effective(log_sum: tf.Tensor, log_squares: tf.Tensor) -> tf.Tensor:
    """Return (Σ w)² / Σ w² from the logarithms of both sums; 0 where all weights are 0."""
    return tf.where(tf.math.is_finite(log_sum), tf.exp(2.0 * log_sum - log_squares), 0.0)
