"""Predictive checks: whether data replicated from the model look like the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from keras_vae.evaluation.batches import rows_at_once, through
from keras_vae.evaluation.checks.example_statistics import Statistic, all_statistics
from keras_vae.evaluation.likelihood.prior_sampling import draw_from_prior
from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.drawing import Plot
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.vae import VAE

# An example is called unusual if a replicate of it is so extreme at most once in twenty times.
_UNUSUAL = 0.05
DISCREPANCY = "−log p(x|z)"
_KINDS = ("posterior", "prior")


@dataclass(frozen=True, eq=False)
class PredictiveChecks(Result):
    """Statistics of data sets replicated from the model, beside those of the data.

    Attributes:
        kind: "posterior" or "prior": where the replicates' latents come from.
        names: Of the statistics.
        data_averages: Averages over the data, `[statistics, replicates]`; they differ between replicates for a
            discrepancy alone, which depends on z.
        averages: Averages over each replicated data set, `[statistics, replicates]`.
        data_spreads: Standard deviations over the data, the same shape.
        spreads: Standard deviations over each replicated data set, the same shape.
        example_p_values: P(t(x_rep) > t(x)) for each example, ties counted half, `[statistics, n]`.
    """

    title: ClassVar[str] = "Predictive checks"

    kind: str
    names: tuple[str, ...]
    data_averages: np.ndarray
    averages: np.ndarray
    data_spreads: np.ndarray
    spreads: np.ndarray
    example_p_values: np.ndarray

    @property
    def average_p_values(self) -> np.ndarray:
        """Two-sided p-values of the averages, `[statistics]`."""
        return two_sided(self.data_averages, self.averages)

    @property
    def spread_p_values(self) -> np.ndarray:
        """Two-sided p-values of the spreads, `[statistics]`."""
        return two_sided(self.data_spreads, self.spreads)

    @property
    def unusual_shares(self) -> np.ndarray:
        """Share of examples whose own two-sided p-value is 0.05 at most, `[statistics]`; none with under 39 replicates.

        As in `two_sided` the example counts as one of its replicates.
        """
        replicates = self.averages.shape[1]
        # Whole and half replicates: rounding must not treat the tails differently.
        rarer = np.rint(2 * replicates * np.minimum(self.example_p_values, 1 - self.example_p_values)) / 2
        return np.mean(2 * (1 + rarer) / (1 + replicates) <= _UNUSUAL, axis=1)

    def table(self) -> Sequence[Row]:
        """Return two lines for each statistic, and the examples that are unusual."""
        rows: list[Row] = [("", "data", "replicates", "± sd", "off, sd", "p", "unusual")]
        for i, name in enumerate(self.names):
            unusual = f"{self.unusual_shares[i]:.1%}"
            rows.append((f"{name}, average", *_compared(self.data_averages[i], self.averages[i]), unusual))
            rows.append((f"{name}, spread", *_compared(self.data_spreads[i], self.spreads[i])))
        return rows

    def warnings(self) -> Sequence[str]:
        """Say what posterior p-values are worth."""
        if self.kind == "prior":
            return ()
        return ("posterior p-values are conservative: they use x twice, and crowd about ½ even if the model is right",)

    def to_dict(self) -> dict[str, Any]:
        """Return everything found, and the p-values."""
        found = {
            name: getattr(self, name).tolist() for name in ("average_p_values", "spread_p_values", "unusual_shares")
        }
        return {**super().to_dict(), **found}

    def figure(self) -> Figure:
        """Draw each statistic of the replicates with the data's as a line, and the examples' own p-values."""
        count = len(self.names)
        figure = Plot(figsize=(8, 1.7 * count + 0.4), layout="constrained")
        axes = figure.subplots(count, 3, squeeze=False)
        for row, (name, left, middle, right) in enumerate(zip(self.names, *axes.T, strict=True)):
            _draw(left, self.data_averages[row], self.averages[row])
            _draw(middle, self.data_spreads[row], self.spreads[row])
            right.hist(self.example_p_values[row], np.linspace(0, 1, 21), color="0.6")
            right.axhline(self.example_p_values.shape[1] / 20, color="0.2", linewidth=0.8, linestyle=":")
            left.set_ylabel(name, fontsize=8)
            for axis in (left, middle, right):
                axis.tick_params(labelsize=7)
                axis.set_yticks([])
        for axis, title in zip(
            axes[0], ("average (line: data)", "spread between examples", "p of each example"), strict=True
        ):
            axis.set_title(title, fontsize=9)
        return figure


def two_sided(data: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Return p-values over the last axis; the data count as one replicate, so that p > 0 and the test is exact.

    Example:
        >>> float(two_sided(np.full(19, 99.0), np.arange(19.0)))  # the largest of twenty
        0.1
    """
    tails = [np.sum(replicates >= data, axis=-1), np.sum(replicates <= data, axis=-1)]
    return np.minimum(1.0, 2 * (1 + np.minimum(*tails)) / (1 + data.shape[-1]))


def _compared(data: np.ndarray, replicates: np.ndarray) -> Row:
    difference = data - replicates
    deviation = np.std(difference)
    off = f"{np.mean(difference) / deviation:+.1f}".replace("-", "−") if deviation > 0 else "–"
    shown = (f"{np.mean(data):.4g}", f"{np.mean(replicates):.4g}", f"{np.std(replicates):.2g}")
    return (*(text.replace("-", "−") for text in shown), off, f"{two_sided(data, replicates):.2g}")


def _draw(axis: Any, data: np.ndarray, replicates: np.ndarray) -> None:
    axis.hist(replicates, 20, color="C0", label="replicates")
    axis.axvline(np.mean(data), color="C3", linewidth=1.5, label="data")
    axis.locator_params(axis="x", nbins=4)


def predictive_checks(
    model: VAE,
    data: Any,
    *,
    kind: str = "posterior",
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
            lie in [0, 1] the share above ½ and how often neighboring pixels agree.
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
        ('lit pixels', 'neighbor agreement', '−log p(x|z)')
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
        z = draw_from_prior(prior, [count], tf.shape(x)[0], of_z)
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
