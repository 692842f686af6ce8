"""What all estimates of log p(x) share: their errors, and when they cannot be trusted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.drawing import Plot, number

# Nats. Where weights vary so much, the estimate of log p(x) lies about half its square, 0.05 nats, too low, and the
# few weights that make it up say little of those that were not drawn. With many samples: fewer than 11 effective ones.
UNSURE = 0.3
# Of the examples, before a warning.
_UNSURE_SHARE = 0.05
# Fewer weights than this cannot show how much they vary.
_FEW = 10


@dataclass(frozen=True, eq=False)
class Estimate(Result):
    """Estimates of log p(x) from weighted samples, in nats.

    Attributes:
        per_example: The estimate for each example, log of the weights' mean, `[examples]`.
        num_samples: How many weights each is made of.
        effective_samples: How many equal weights would be as good, (Σ w)² / Σ w², `[examples]`.
    """

    per_example: np.ndarray
    num_samples: int
    effective_samples: np.ndarray

    # What they are called, and of what more would help.
    samples: ClassVar[str] = "samples"
    wanting: ClassVar[str] = "samples"
    # What follows where one of them outweighs all others.
    alone: ClassVar[str] = "the errors over seeds are too small as well"

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

    @property
    def sampling_errors(self) -> np.ndarray:
        """Standard error of each estimate: how far another seed may take it, `[examples]`; by the delta method."""
        if self.num_samples < 2:
            return np.full(len(self.per_example), np.nan)
        with np.errstate(divide="ignore"):
            ratio = self.num_samples / np.asarray(self.effective_samples, np.float64)
        # Rounding may put the effective number a little above the number.
        return np.sqrt(np.maximum(ratio - 1.0, 0.0) / (self.num_samples - 1))

    @property
    def sampling_error(self) -> float:
        """Standard error of the mean that is due to the samples, not to the choice of examples."""
        return float(np.sqrt(np.sum(self.sampling_errors**2)) / len(self.per_example))

    @property
    def unsure(self) -> np.ndarray:
        """Whether an estimate's standard error is above 0.3 nats, `[examples]`."""
        return self.sampling_errors > UNSURE

    def table(self) -> Sequence[Row]:
        """Return mean, errors and effective sample sizes."""
        effective = self.effective_samples
        mean = number(self.mean, ".2f")
        return [
            ("", "nats", "± s.e."),
            ("log p(x), over examples", mean, f"{self.standard_error:.2f}"),
            ("log p(x), over seeds", mean, f"{self.sampling_error:.3f}"),
            ("examples", str(len(self.per_example))),
            (self.samples, str(self.num_samples)),
            ("effective ones, median", f"{np.median(effective):.1f}"),
            ("effective ones, fewest", f"{np.min(effective):.1f}"),
            (f"examples with an error above {UNSURE}", f"{100 * np.mean(self.unsure):.1f} %"),
        ]

    def figure(self) -> Figure:
        """Return histograms over examples: of the estimates, and of the effective sample sizes."""
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
        right.xaxis.set_minor_formatter(NullFormatter())  # whose powers of ten overlap on a short axis
        if self.num_samples >= _FEW:
            # The effective number at which the error is the limit.
            limit = self.num_samples / (1 + UNSURE**2 * (self.num_samples - 1))
            right.axvline(limit, color="red", linewidth=1, label=f"error of {UNSURE} nats")
            right.legend(fontsize=8)
        right.set_xlabel(f"effective number of {self.num_samples} {self.samples}")
        return figure

    def warnings(self) -> Sequence[str]:
        """Return why the estimate cannot be trusted, if there is a reason."""
        found = []
        broken = int(np.sum(~np.isfinite(self.per_example)))
        if broken:
            found.append(
                f"{broken} of {len(self.per_example)} estimates are not finite: none of the samples gives these x any "
                "probability, or the model's own figures are not finite"
            )
        if self.num_samples < _FEW:
            found.append(
                f"{self.num_samples} {self.samples} cannot show how far below log p(x) the estimate lies: read it as a "
                f"bound, or take {_FEW} or more"
            )
        elif math.isfinite(self.mean) and np.mean(self.unsure) > _UNSURE_SHARE:
            low = np.mean(self.sampling_errors**2) / 2
            found.append(
                f"in {100 * np.mean(self.unsure):.0f} % of the examples the weights vary so much that log p(x) has a "
                f"standard error above {UNSURE} nats, and the mean lies {low:.2f} nats or more below the true one: "
                f"take more {self.wanting}"
            )
        if self.num_samples >= _FEW and np.median(self.effective_samples) < 2.0:
            found.append(f"for half of the examples a single sample outweighs all others: {self.alone}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything found, the means and errors too."""
        means = {name: _finite(getattr(self, name)) for name in ("mean", "standard_error", "sampling_error")}
        return {"measure": type(self).__name__, **means, **super().to_dict()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
