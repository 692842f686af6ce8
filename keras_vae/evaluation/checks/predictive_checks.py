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
from keras_vae.utils.arguments import one_line, positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.vae import VAE

# An example is unusual if at most one in twenty of its replicates is as extreme.
_UNUSUAL = 0.05
DISCREPANCY = "−log p(x|z)"
_KINDS = ("posterior", "prior")


@dataclass(frozen=True, eq=False)
class PredictiveChecks(Result):
    """Statistics of the data, and of data sets replicated from the model.

    Attributes:
        kind: "posterior" or "prior": the source of the latents of the replicates.
        names: Names of the statistics.
        data_averages: Averages over the data, `[statistics, replicates]`; they differ between replicates only for a
            discrepancy, which depends on z.
        averages: Averages over each replicated data set, `[statistics, replicates]`.
        data_spreads: Standard deviations over the data, the same shape.
        spreads: Standard deviations over each replicated data set, the same shape.
        example_p_values: P(t(x_rep) > t(x)) per example, ties counted half, `[statistics, n]`.
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
        """Share of examples with a two-sided p-value of at most 0.05, `[statistics]`; 0 with fewer than 39 replicates.

        As in `two_sided`, the example counts as one of its replicates.
        """
        replicates = self.averages.shape[1]
        # Whole and half replicates, so that rounding treats both tails alike.
        rarer = np.rint(2 * replicates * np.minimum(self.example_p_values, 1 - self.example_p_values)) / 2
        return np.mean(2 * (1 + rarer) / (1 + replicates) <= _UNUSUAL, axis=1)

    def table(self) -> Sequence[Row]:
        """Return two lines per statistic, with the share of unusual examples."""
        rows: list[Row] = [("", "data", "replicates", "± sd", "off, sd", "p", "unusual")]
        for i, name in enumerate(self.names):
            unusual = f"{self.unusual_shares[i]:.1%}"
            rows.append((f"{name}, average", *_compared(self.data_averages[i], self.averages[i]), unusual))
            rows.append((f"{name}, spread", *_compared(self.data_spreads[i], self.spreads[i])))
        return rows

    def warnings(self) -> Sequence[str]:
        """Warn that posterior p-values are conservative."""
        if self.kind == "prior":
            return ()
        return (
            "posterior p-values are conservative: they use x twice, and gather around ½ even if the model is right",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all results, with the p-values."""
        found = {
            name: getattr(self, name).tolist() for name in ("average_p_values", "spread_p_values", "unusual_shares")
        }
        return {**super().to_dict(), **found}

    def figure(self) -> Figure:
        """Draw each statistic of the replicates, that of the data as a line, and the p-values of the examples."""
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
            axes[0], ("average (line: data)", "spread over examples", "p-value per example"), strict=True
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
    Meng & Stern 1996), which test whether the model can reproduce the data. With `kind="prior"`, z ~ p(z) instead (Box
    1980), which tests whether samples look like data at all. A statistic is one number per example; the average and
    the spread (standard deviation) of its values over the data set are compared. −log p(x|z) is a discrepancy, a
    function of x and z, and is compared at the same z; only posterior checks have it.

    Prior p-values are exact: uniform if the data come from the model. Posterior p-values are conservative, because x is
    used twice, to find z and for the comparison: under the right model they gather around ½ (Meng 1994), so a small one
    is strong evidence of misfit, and a large one weak evidence of fit. A q(z|x) that is not the exact posterior counts
    as misfit too. With many examples any model fails: see how far off it is, in standard deviations of the replicates.

    Args:
        model: A trained VAE.
        data: As for `log_likelihood`.
        kind: "posterior" or "prior".
        statistics: Additional statistics by name: functions from x, `[batch, *event]`, to one number per example,
            `[batch]`, in TensorFlow operations. The standard ones are the mean and variance of the values of an
            example; for values in [0, 1], also the share above ½ and how often neighboring pixels agree.
        num_replicates: Number of replicated data sets; no p-value is smaller than 2/(num_replicates + 1).
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of the replicates.
        verbose: Whether to show a progress bar.

    Returns:
        Statistics of data and replicates, and p-values for the data set and for each example.

    Raises:
        ValueError: If an argument is invalid, a statistic returns another shape or numbers that are not finite, or
            `VAE.fit` would refuse the data.
        TypeError: If a statistic is not a function.

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
        raise ValueError(
            f"predictive_checks: kind is unknown: expected 'posterior' or 'prior', received {one_line(kind)}"
        )
    seed = seed_number(seed, "predictive_checks")
    num_replicates = positive_integer(num_replicates, "predictive_checks: num_replicates")
    measured = all_statistics(model.observed_family, statistics)
    names = [*measured, DISCREPANCY] if kind == "posterior" else [*measured]
    from_prior = kind == "prior"

    @compiled
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
            noise = streams.derive(seed, "predictive_checks", batch.number, start)
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
    inference = model.infer(x, condition=y)
    z = draw_from_prior(inference, count, of_z) if from_prior else inference.sample(count, of_z)
    likelihood = inference.densities(z).likelihood
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
            f"predictive_checks: statistic {name!r} is not finite: expected finite numbers, received NaN or infinity"
        )
    return values.astype(np.float64)
