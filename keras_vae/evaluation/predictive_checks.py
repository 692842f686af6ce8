"""Predictive checks: whether data replicated from the model look like the data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae import seeds as streams
from keras_vae.checks import positive_integer, seed_number
from keras_vae.evaluation import prior_draws
from keras_vae.evaluation.batches import through
from keras_vae.evaluation.example_statistics import Statistic, all_statistics
from keras_vae.evaluation.pieces import rows_at_once
from keras_vae.evaluation.predictive_checks_result import PredictiveChecks
from keras_vae.vae import VAE

DISCREPANCY = "−log p(x|z)"
_KINDS = ("posterior", "prior")


def predictive_checks(
    model: VAE,
    data: Any,
    kind: str = "posterior",
    *,
    statistics: Mapping[str, Statistic] | None = None,
    num_replicates: int = 200,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> PredictiveChecks:
    """Compare statistics of the data with those of data sets replicated from the model.

    For each example x and replicate, z ~ q(z|x) and x_rep ~ p(x|z): posterior predictive checks (Rubin 1984; Gelman,
    Meng & Stern 1996), which ask whether the model can say again what it was told. With `kind="prior"` z ~ p(z)
    instead (Box 1980), which asks whether its samples look like data at all. Every statistic is a number for each
    example; of its values over the data set the average and the spread (standard deviation) are compared.
    −log p(x|z) is a discrepancy, a function of x and z, and is compared at the same z; posterior checks alone have it.

    Prior p-values are exact: uniform, if the data come from the model. Posterior ones are conservative, since x is used
    twice, to find z and to be compared: under the right model they crowd about ½ (Meng 1994), so that a small one is
    good evidence of misfit, and a large one little evidence of fit. A q(z|x) that is not the exact posterior counts as
    misfit too. With many examples any model fails: see how far off it is, in the replicates' standard deviations.

    Args:
        model: A trained VAE.
        data: As for `log_likelihood`.
        kind: "posterior" or "prior".
        statistics: More of them, by name: functions of x, `[batch, *event]`, to a number for each example, `[batch]`,
            in TensorFlow operations. There are already the mean and the variance of an example's values, or where they
            lie in [0, 1] the share above ½ and how often neighbouring pixels agree.
        num_replicates: How many data sets to replicate; no p-value is smaller than 2/(num_replicates + 1).
        batch_size: For arrays; a dataset keeps its own.
        seed: Of the replicates.
        verbose: Whether to show a progress bar.

    Returns:
        Statistics of data and replicates, p-values of the data set and of each example.

    Raises:
        ValueError: If an argument is refused, a statistic returns another shape or no finite numbers, or data is
            refused as in `VAE.fit`.
        TypeError: If a statistic is no function.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4, 4, 1), latent_size=2, hidden=[8])
        >>> x = np.zeros([10, 4, 4, 1], "float32")
        >>> found = predictive_checks(vae, x, num_replicates=20, verbose=False)
        >>> found.names
        ('lit pixels', 'neighbour agreement', '−log p(x|z)')
        >>> found.example_p_values.shape
        (3, 10)
    """
    if kind not in _KINDS:
        raise ValueError(f"predictive_checks: kind must be 'posterior' or 'prior'; received {kind!r}")
    seed = seed_number(seed, "predictive_checks")
    num_replicates = positive_integer(num_replicates, "predictive_checks: num_replicates")
    measured = all_statistics(model.observed_family, statistics)
    names = [*measured, DISCREPANCY] if kind == "posterior" else [*measured]
    from_prior = kind == "prior"

    @tf.function(reduce_retracing=True)
    def compare(x: tf.Tensor, y: tf.Tensor | None, noise: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _compare(model, measured, x, y, noise, count, from_prior)

    sums = np.zeros([2, 2, len(names), num_replicates])  # of values and squares, of data and replicates
    p_values, examples = [], 0
    for batch in through(model, data, measure="predictive checks", batch_size=batch_size, verbose=verbose):
        size = len(batch.x)
        at_once = max(1, rows_at_once(model) // size)
        exceeding = np.zeros([len(names), size])
        for start in range(0, num_replicates, at_once):
            part = slice(start, min(start + at_once, num_replicates))
            noise = streams.fold(seed, streams.EVALUATE, batch.number, start)
            pair = compare(batch.x, batch.condition, noise, tf.constant(part.stop - start))
            of_data, of_replicates = (_finite(values.numpy(), names) for values in pair)
            for power in (1, 2):
                sums[power - 1, 0, :, part] += np.sum(of_data**power, axis=2)
                sums[power - 1, 1, :, part] += np.sum(of_replicates**power, axis=2)
            # A tie counts half, as in a rank.
            exceeding += np.sum((of_replicates > of_data) + 0.5 * (of_replicates == of_data), axis=1)
        p_values.append(exceeding / num_replicates)
        examples += size
    averages = sums[0] / examples
    spreads = np.sqrt(np.maximum(sums[1] / examples - averages**2, 0))
    return PredictiveChecks(
        kind=kind,
        names=tuple(names),
        data_averages=averages[0],
        averages=averages[1],
        data_spreads=spreads[0],
        spreads=spreads[1],
        example_p_values=np.concatenate(p_values, axis=1),
    )


def _compare(
    model: VAE,
    statistics: Mapping[str, Statistic],
    x: tf.Tensor,
    y: tf.Tensor | None,
    seed: tf.Tensor,
    count: tf.Tensor,
    from_prior: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return each statistic of x and of `count` replicates, both `[statistics, count, batch]`."""
    of_z, of_x = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    if from_prior:
        prior = model.prior_distribution(condition=y)
        z = prior_draws.draw(prior, [count], tf.shape(x)[0], of_z)
    else:
        z = model.infer(x, y).sample(count, of_z)
    likelihood = model.likelihood(z, condition=y)
    replicated = tf.ensure_shape(likelihood.sample(seed=of_x), [None, None, *model.event_shape])
    shape = tf.shape(replicated)[:2]
    rows = tf.reshape(replicated, [-1, *model.event_shape])
    of_data = [tf.broadcast_to(statistic(x), shape) for statistic in statistics.values()]
    of_replicates = [tf.reshape(statistic(rows), shape) for statistic in statistics.values()]
    if not from_prior:
        of_data.append(-likelihood.log_prob(x))
        of_replicates.append(-likelihood.log_prob(replicated))
    return tf.stack(of_data), tf.stack(of_replicates)


def _finite(values: np.ndarray, names: list[str]) -> np.ndarray:
    finite = np.isfinite(values).all(axis=(1, 2))
    if not finite.all():
        name = names[int(np.argmin(finite))]
        raise ValueError(
            f"predictive_checks: statistic {name!r} gave a value that is not finite; wanted finite numbers"
        )
    return values.astype(np.float64)
