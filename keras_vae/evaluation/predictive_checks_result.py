"""The figures of predictive checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_vae.evaluation.result import Result, Row

# An example is called unusual if a replicate of it is so extreme at most once in twenty times.
_UNUSUAL = 0.05


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
        figure = Figure(figsize=(8, 1.7 * count + 0.4), layout="constrained")
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
