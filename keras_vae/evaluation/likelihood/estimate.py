"""What all estimates of log p(x) share: standard errors, and warnings when they cannot be trusted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.drawing import Plot, number

# Nats. With such an error, the estimate of log p(x) is about half its square, 0.05 nats, too low, and the few weights
# behind it say little about weights that were not drawn. With many samples: fewer than 11 effective samples.
UNSURE = 0.3
# Share of the examples above which there is a warning.
_UNSURE_SHARE = 0.05
# With fewer weights, their variation is unknown.
_FEW = 10
# With fewer effective weights, one outweighs all others, and says nothing about those that were not drawn.
_NEAR_ONE = 2.0


@dataclass(frozen=True, eq=False)
class Estimate(Result):
    """Estimates of log p(x) from weighted samples, in nats.

    Attributes:
        per_example: The estimate for each example, the log of the mean weight, `[examples]`.
        num_samples: Number of weights per example.
        effective_samples: Effective number of weights, (Σ w)² / Σ w², `[examples]`.
    """

    per_example: np.ndarray
    num_samples: int
    effective_samples: np.ndarray

    # The name of the samples, and what to increase if they are too few.
    samples: ClassVar[str] = "samples"
    increase: ClassVar[str] = "samples"
    # What to do if one sample outweighs all others.
    alone: ClassVar[str] = "use annealed importance sampling, or more samples where latents are discrete"

    @property
    def mean(self) -> float:
        """Mean over examples, in nats."""
        return float(np.mean(self.per_example, dtype=np.float64))

    @property
    def standard_error(self) -> float:
        """Standard error of the mean over examples: how far it varies between test sets of this size."""
        if len(self.per_example) < 2:
            return math.nan
        return float(np.std(self.per_example, ddof=1, dtype=np.float64) / math.sqrt(len(self.per_example)))

    @property
    def sampling_errors(self) -> np.ndarray:
        """Standard error of each estimate over seeds, `[examples]`, by the delta method; too small if `dominated`."""
        if self.num_samples < 2:
            return np.full(len(self.per_example), np.nan)
        with np.errstate(divide="ignore"):
            ratio = self.num_samples / np.asarray(self.effective_samples, np.float64)
        # Rounding can put the effective number slightly above the number.
        return np.sqrt(np.maximum(ratio - 1.0, 0.0) / (self.num_samples - 1))

    @property
    def sampling_error(self) -> float:
        """Standard error of the mean over seeds, for these examples; NaN if unknown, as for a lower bound only."""
        if self.lower_bound_only:
            return math.nan
        return float(np.sqrt(np.sum(self.sampling_errors**2)) / len(self.per_example))

    @property
    def dominated(self) -> np.ndarray:
        """Whether one of ten or more weights outweighs all others, fewer than 2 being effective, `[examples]`.

        Such an estimate is a lower bound only: the better samples that were not drawn are unknown, and so is its error.
        """
        return (np.asarray(self.effective_samples) < _NEAR_ONE) & (self.num_samples >= _FEW)

    @property
    def lower_bound_only(self) -> bool:
        """Whether more than 5 % of the examples are `dominated`: then the mean has no known error over seeds."""
        return bool(np.mean(self.dominated) > _UNSURE_SHARE)

    @property
    def unsure(self) -> np.ndarray:
        """Whether an estimate's standard error is above 0.3 nats, `[examples]`."""
        return self.sampling_errors > UNSURE

    def table(self) -> Sequence[Row]:
        """Return mean, errors and effective sample sizes."""
        effective = self.effective_samples
        mean = number(self.mean, ".2f")
        over_seeds = self.sampling_error
        return [
            ("", "nats", "± s.e."),
            ("log p(x), over examples", mean, f"{self.standard_error:.2f}"),
            ("log p(x), over seeds", mean, f"{over_seeds:.3f}" if math.isfinite(over_seeds) else "unknown"),
            ("examples", str(len(self.per_example))),
            (self.samples, str(self.num_samples)),
            ("effective samples, median", f"{np.median(effective):.1f}"),
            ("effective samples, fewest", f"{np.min(effective):.1f}"),
            (f"examples with an error above {UNSURE}", f"{100 * np.mean(self.unsure):.1f} %"),
        ]

    def figure(self) -> Figure:
        """Return histograms of the estimates and of the effective sample sizes."""
        figure = Plot(figsize=(8, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        finite = self.per_example[np.isfinite(self.per_example)]
        left.hist(finite, bins=30)
        left.axvline(self.mean, color="black", linewidth=1, label=f"mean {number(self.mean, '.2f')}")
        left.set_xlabel("log p(x), nats")
        left.set_ylabel("examples")
        left.legend(fontsize=8)
        right.hist(np.maximum(self.effective_samples, 1.0), bins=np.geomspace(1, max(self.num_samples, 2), 31))
        right.set_xscale("log")
        right.xaxis.set_major_formatter(ScalarFormatter())
        right.xaxis.set_minor_formatter(NullFormatter())  # powers of ten would overlap on a short axis
        if self.num_samples >= _FEW:
            # The effective number at which the error reaches the limit.
            limit = self.num_samples / (1 + UNSURE**2 * (self.num_samples - 1))
            right.axvline(limit, color="red", linewidth=1, label=f"error of {UNSURE} nats")
            right.legend(fontsize=8)
        right.set_xlabel(f"effective number of {self.num_samples} {self.samples}")
        return figure

    def warnings(self) -> Sequence[str]:
        """Warn if the estimate cannot be trusted."""
        found = []
        broken = int(np.sum(~np.isfinite(self.per_example)))
        if broken:
            found.append(
                f"{broken} of {len(self.per_example)} estimates are not finite: no sample gives these x any "
                "probability, or the densities of the model are not finite"
            )
        if self.num_samples < _FEW:
            found.append(
                f"{self.num_samples} {self.samples} cannot show how far the estimate is below log p(x): read it as a "
                f"bound, or use {_FEW} or more"
            )
        elif math.isfinite(self.mean) and np.mean(self.unsure) > _UNSURE_SHARE and not self.lower_bound_only:
            low = np.mean(self.sampling_errors**2) / 2
            found.append(
                f"for {100 * np.mean(self.unsure):.0f} % of the examples the weights vary so much that log p(x) has a "
                f"standard error above {UNSURE} nats, and the mean is {low:.2f} nats or more too low: use more "
                f"{self.increase}"
            )
        if np.any(self.dominated):
            count = int(np.sum(self.dominated))
            found.append(
                f"for {count} of {len(self.dominated)} examples one sample outweighs all others, and the fewest "
                f"effective samples are {np.min(self.effective_samples):.1f}: their estimates are a lower bound only, "
                f"and their errors over seeds are unknown; {self.alone}"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all results, with the means and errors."""
        means = {name: _finite(getattr(self, name)) for name in ("mean", "standard_error", "sampling_error")}
        alone = {"lower_bound_only": self.lower_bound_only}
        return {"measure": type(self).__name__, **means, **alone, **super().to_dict()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
