"""The log-likelihood by importance sampling."""

import functools
import inspect
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae import guard, replicas
from keras_vae import seeds as streams
from keras_vae.checks import positive_integer
from keras_vae.vae import VAE

# At most this many (sample, example) pairs go through the decoder at once: enough for full-speed matrix
# products, and few enough for convolutions, whose inner maps are far larger than their output.
_CHUNK_ROWS = 4096
# And at most this many output values, for large events.
_CHUNK_VALUES = 2**22


@dataclass(frozen=True)
class LogLikelihood:
    """An importance-sampled estimate of the mean log p(x) of a data set, in nats per example.

    Attributes:
        per_example: The estimate of log p(x) for each example, `[examples]`.
        num_samples: Samples for each example.
    """

    per_example: np.ndarray
    num_samples: int

    @property
    def mean(self) -> float:
        """Mean over examples, in nats."""
        return float(np.mean(self.per_example, dtype=np.float64))

    @property
    def standard_error(self) -> float:
        """Standard error of the mean over examples: how far another sample of as many test examples may lie."""
        if len(self.per_example) < 2:
            return math.nan
        return float(np.std(self.per_example, ddof=1, dtype=np.float64) / math.sqrt(len(self.per_example)))

    def __str__(self) -> str:
        return (
            f"log p(x) ≥ {self.mean:.2f} ± {self.standard_error:.2f} nats per example "
            f"({len(self.per_example)} examples, {self.num_samples} importance samples each)"
        )


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
        The estimate for each example, its mean and standard error.

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
    num_samples = positive_integer(num_samples, "log_likelihood: num_samples")
    estimate, samples = _compiled(model), tf.constant(num_samples)
    found = []
    with guard.clear_errors():
        strategy = model.distribute_strategy
        batches = replicas.shared_out(strategy, _batches(data, model, batch_size))
        progress = tqdm(batches, desc="log-likelihood", unit="batch", disable=not verbose)
        for number, batch in enumerate(progress):
            x = batch[0] if isinstance(batch, tuple) else batch
            y = batch[1] if model.condition is not None else None
            noise = streams.fold(seed, streams.EVALUATE, number)
            estimated = strategy.run(estimate, args=(x, y, noise, samples))
            found.append(replicas.gathered(strategy, estimated))
            progress.set_postfix_str(f"{np.mean(np.concatenate(found)):.2f} nats")
    if not found:
        raise ValueError("log_likelihood: the data holds no examples; wanted at least one")
    return LogLikelihood(np.concatenate(found), num_samples)


def _batches(data: Any, model: VAE, batch_size: int) -> Iterable[Any]:
    x, y = data if isinstance(data, tuple | list) and model.condition is not None else (data, None)
    x, y = guard.guarded_pair(x, y, model.observed_family, model.condition)
    if isinstance(x, tf.data.Dataset) or inspect.isgenerator(x):
        return x
    if isinstance(x, keras.utils.PyDataset):
        return (x[i] for i in range(len(x)))
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread can hold up the end of an iterator for seconds
    return tf.data.Dataset.from_tensor_slices(x if y is None else (x, y)).batch(batch_size).with_options(options)


def _compiled(model: VAE) -> Any:
    """Return the compiled function of x `[batch, *event]`, y, a seed and S: log p(x), `[batch]`. Made once a model."""
    if "_log_likelihood" not in vars(model):
        model._log_likelihood = tf.function(functools.partial(_estimate, model), reduce_retracing=True)
    return model._log_likelihood


def _estimate(model: VAE, x: tf.Tensor, y: tf.Tensor | None, seed: tf.Tensor, num_samples: tf.Tensor) -> tf.Tensor:
    dtype = tf.as_dtype(model.decoder.family.variable_dtype)
    x = tf.cast(x, dtype)
    inference = model.infer(x, y)
    # Of the global batch, so that the numbers are the same on any number of replicas.
    batch = tf.shape(x)[0] if inference.rows is None else inference.rows.total
    at_once = min(_CHUNK_ROWS, _CHUNK_VALUES // math.prod(model.event_shape))
    chunk = tf.clip_by_value(at_once // batch, 1, num_samples)

    def add_chunk(done: tf.Tensor, log_sum: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = tf.minimum(chunk, num_samples - done)
        z = inference.sample(size, tf.random.experimental.stateless_fold_in(seed, done))
        log_weights = inference.log_weights(z)
        return done + size, tf.reduce_logsumexp(tf.concat([log_sum[None], log_weights], 0), axis=0)

    _, log_sum = tf.while_loop(
        lambda done, _: done < num_samples,
        add_chunk,
        (tf.constant(0), tf.fill(tf.shape(x)[:1], tf.constant(-math.inf, dtype))),
        parallel_iterations=1,
    )
    return log_sum - tf.math.log(tf.cast(num_samples, dtype))
