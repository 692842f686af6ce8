"""The figures of inference gaps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_vae.evaluation.estimate import Estimate
from keras_vae.evaluation.result import Result, Row, plain
from keras_vae.plots.drawing import number

_UNSETTLED_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class InferenceGaps(Result):
    """log p(x), the bounds of the best and of the encoder's posterior, and the gaps between them, in nats.

    Attributes:
        log_likelihood: The estimate of log p(x), each example's.
        local_bounds: L[q*], `[examples]`.
        local_errors: Standard error of each, over seeds.
        encoder_bounds: L[q(z|x)], `[examples]`.
        encoder_errors: Standard error of each, over seeds.
        amortisation_errors: Standard error of each amortisation gap, over seeds; the bounds share their noise.
        steps: Adam steps of the batch that took most.
        settled: Whether q* was found before steps ran out, `[examples]`.
    """

    title: ClassVar[str] = "Inference gaps"

    log_likelihood: Estimate
    local_bounds: np.ndarray
    local_errors: np.ndarray
    encoder_bounds: np.ndarray
    encoder_errors: np.ndarray
    amortisation_errors: np.ndarray
    steps: int
    settled: np.ndarray

    @property
    def approximation(self) -> np.ndarray:
        """What the family costs, log p(x) − L[q*], `[examples]`."""
        return self.log_likelihood.per_example - self.local_bounds

    @property
    def approximation_errors(self) -> np.ndarray:
        """Standard error of each approximation gap, over seeds."""
        return np.hypot(self.log_likelihood.sampling_errors, self.local_errors)

    @property
    def amortisation(self) -> np.ndarray:
        """What the encoder costs, L[q*] − L[q(z|x)], `[examples]`."""
        return self.local_bounds - self.encoder_bounds

    @property
    def total(self) -> np.ndarray:
        """Both together, log p(x) − L[q(z|x)], `[examples]`."""
        return self.log_likelihood.per_example - self.encoder_bounds

    def table(self) -> Sequence[Row]:
        """Return means, with their standard errors over examples and over seeds."""
        estimate = self.log_likelihood
        return [
            ("", "nats", "± examples", "± seeds"),
            _row("log p(x)", estimate.per_example, estimate.sampling_errors),
            _row("best bound of the family, L[q*]", self.local_bounds, self.local_errors),
            _row("the encoder's bound, L[q(z|x)]", self.encoder_bounds, self.encoder_errors),
            _row("approximation gap", self.approximation, self.approximation_errors),
            _row("amortisation gap", self.amortisation, self.amortisation_errors),
            _row("both", self.total, np.hypot(estimate.sampling_errors, self.encoder_errors)),
            ("examples", str(len(self.local_bounds))),
            ("q* found", f"{100 * np.mean(self.settled):.0f} %"),
            ("steps of Adam, at most", str(self.steps)),
        ]

    def figure(self) -> Figure:
        """Draw the mean gaps on top of each other, and histograms of both."""
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 2.2])
        parts = {"approximation gap": self.approximation, "amortisation gap": self.amortisation}
        below = 0.0
        finite = np.concatenate([gaps[np.isfinite(gaps)] for gaps in parts.values()])
        bins = np.linspace(min(finite.min(initial=0.0), 0.0), max(finite.max(initial=0.0), 1e-3), 41)
        for name, gaps in parts.items():
            label = f"{name}, {number(np.mean(gaps), '.2f')}"
            left.bar([0], [np.mean(gaps)], 0.6, bottom=below)
            below += float(np.mean(gaps))
            right.hist(gaps[np.isfinite(gaps)], bins=bins, alpha=0.6, label=label)
        left.set_xlim(-0.6, 0.6)
        left.axhline(0.0, color="black", linewidth=0.8)
        left.set_xticks([0], [f"both, {number(below, '.2f')}"])
        left.set_ylabel("nats per example")
        right.axvline(0.0, color="black", linewidth=0.8)
        right.set_xlabel("gap, nats")
        right.set_ylabel("examples")
        right.legend(fontsize=8)
        return figure

    def warnings(self) -> Sequence[str]:
        """Say what cannot be so, and what was not found."""
        found = [f"log p(x): {warning}" for warning in self.log_likelihood.warnings()]
        unsettled = 1.0 - float(np.mean(self.settled))
        if unsettled > _UNSETTLED_SHARE:
            found.append(
                f"in {100 * unsettled:.0f} % of the examples the search for q* had not ended when its steps ran out: "
                "the amortisation gap may be larger than this, and the approximation gap smaller; raise max_steps"
            )
        if _mean(self.approximation) < -3.0 * _seed_error(self.approximation_errors):
            found.append(
                "the approximation gap is negative by more than its noise, which no gap can be: log p(x) is estimated "
                "too low; take more samples, or give the estimate of annealed_importance_sampling"
            )
        if _mean(self.amortisation) < -3.0 * _seed_error(self.amortisation_errors):
            found.append(
                "the amortisation gap is negative by more than its noise, which no gap can be: the search for q* ended "
                "below its start; take more step_samples or a smaller learning_rate"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything found, the mean gaps first."""
        means = {f"{name}_gap": _mean(getattr(self, name)) for name in ("approximation", "amortisation", "total")}
        found = {"measure": type(self).__name__, **means, **super().to_dict()}
        return plain({**found, "approximation": self.approximation, "amortisation": self.amortisation})


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64))


def _seed_error(errors: np.ndarray) -> float:
    """Return the standard error of a mean of independent figures with these errors."""
    return float(np.sqrt(np.sum(errors**2)) / len(errors))


def _row(name: str, values: np.ndarray, errors: np.ndarray) -> Row:
    over_examples = np.std(values, ddof=1, dtype=np.float64) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return (name, number(_mean(values), ".2f"), f"{over_examples:.2f}", f"{_seed_error(errors):.3f}")
