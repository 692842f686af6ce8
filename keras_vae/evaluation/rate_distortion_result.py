"""The figures of rate and distortion."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_vae.evaluation.result import Result, Row, plain
from keras_vae.plots.drawing import number
from keras_vae.plots.kl import bars

# Nats: an estimate of the mutual information this near to its ceiling says where the ceiling is.
_NEAR = 0.5


@dataclass(frozen=True, eq=False)
class RateDistortion(Result):
    """Rate, distortion, and what the rate is made of, in nats.

    Attributes:
        rate_per_example: KL(q(z|x) ‖ p(z)), `[n]`.
        distortion_per_example: −E_q[log p(x|z)], `[n]`.
        exact_rate: Whether the rate is in closed form, rather than of samples.
        num_samples: z for each example.
        information_per_example: Estimates whose mean is that of I_q(x; z), `[n]`; None where the prior depends on a
            condition.
        num_references: M, how many posteriors the aggregate posterior is made of.
        nats: What each latent carries, `[*latents]`; None where posterior or prior does not factorise.
        active: Which latents are active, `[*latents]`; None for bounded and discrete ones whose nats are not known.
    """

    title: ClassVar[str] = "Rate and distortion"

    rate_per_example: np.ndarray
    distortion_per_example: np.ndarray
    exact_rate: bool
    num_samples: int
    information_per_example: np.ndarray | None
    num_references: int
    nats: np.ndarray | None
    active: np.ndarray | None

    @property
    def rate(self) -> float:
        """Mean rate."""
        return _mean(self.rate_per_example)

    @property
    def distortion(self) -> float:
        """Mean distortion."""
        return _mean(self.distortion_per_example)

    @property
    def elbo(self) -> float:
        """The mean ELBO, −(rate + distortion)."""
        return -(self.rate + self.distortion)

    @property
    def mutual_information(self) -> float | None:
        """I_q(x; z), at most log M."""
        return None if self.information_per_example is None else _mean(self.information_per_example)

    @property
    def aggregate_kl(self) -> float | None:
        """KL(q(z) ‖ p(z)), the rate less the mutual information."""
        return None if self.mutual_information is None else self.rate - self.mutual_information

    @property
    def active_units(self) -> int | None:
        """How many latents are active, where that is known."""
        return None if self.active is None else int(np.sum(self.active))

    def table(self) -> Sequence[Row]:
        """Return means in nats with their standard errors over examples, and active units."""
        split: list[Row] = []
        if self.information_per_example is not None:
            remainder = self.rate_per_example - self.information_per_example
            split = [
                _row("  mutual information I(x; z)", self.information_per_example),
                _row("  aggregate KL(q(z) ‖ p(z))", remainder),
            ]
        return [
            ("", "nats", "± s.e."),
            _row("rate", self.rate_per_example),
            *split,
            _row("distortion", self.distortion_per_example),
            _row("ELBO", -(self.rate_per_example + self.distortion_per_example)),
            ("active units", "–" if self.active is None else f"{self.active_units} of {self.active.size}"),
            *_by_latent(self.nats),
        ]

    def figure(self) -> Figure:
        """Draw what the rate is made of beside what each latent carries."""
        widths = [2.6] if self.nats is None else [2.6, max(3.5, min(9, 0.2 * self.nats.size + 1))]
        figure = Figure(figsize=(sum(widths) + 0.6, 3.2), layout="constrained")
        axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
        self._draw_rate(axes[0])
        if self.nats is not None:
            bars(axes[1], self.nats)
            axes[1].set_title(f"{self.active_units} of {self.nats.size} latents active", fontsize=9)
        return figure

    def _draw_rate(self, axis: Any) -> None:
        parts = {"rate": self.rate}
        if self.mutual_information is not None and self.aggregate_kl is not None:
            parts = {"mutual information": self.mutual_information, "aggregate KL": self.aggregate_kl}
        below = 0.0
        for name, value in parts.items():
            axis.bar([0], [value], 0.6, bottom=below, label=f"{name}, {number(value, '.2f')}")
            below += value
        axis.set_xlim(-0.5, 0.5)
        axis.set_ylim(top=1.45 * max(self.rate, 1e-3))  # room for the legend
        axis.set_xticks([0], [f"rate, {number(self.rate, '.2f')}"])
        axis.set_ylabel("nats per example")
        axis.legend(fontsize=8, loc="upper center")
        axis.set_title(f"distortion {number(self.distortion, '.2f')} nats", fontsize=9)

    def warnings(self) -> Sequence[str]:
        """Say what is sampled, missing, or at its ceiling."""
        found = []
        ceiling = math.log(self.num_references)
        if not self.exact_rate:
            found.append(f"the rate has no closed form here: it is a mean over {self.num_samples} samples an example")
        if self.mutual_information is None:
            found.append("the prior depends on the condition, so the rate is not split with one aggregate posterior")
        elif self.mutual_information > ceiling - _NEAR:
            found.append(
                f"the mutual information is at its ceiling, log {self.num_references} = {ceiling:.2f} nats: that under "
                "the data's own distribution may be far larger, and the aggregate's KL smaller by as much"
            )
        if self.nats is None:
            found.append("posterior or prior does not factorise, so the KL is no sum over latents")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything found, the means first."""
        names = ("rate", "distortion", "elbo", "mutual_information", "aggregate_kl", "active_units")
        means = plain({name: getattr(self, name) for name in names})
        return {"measure": type(self).__name__, **means, **super().to_dict()}


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64))


def _row(name: str, values: np.ndarray) -> Row:
    error = np.std(values, ddof=1, dtype=np.float64) / math.sqrt(len(values))
    return (name, number(_mean(values), ".2f"), f"{error:.2f}")


def _by_latent(nats: np.ndarray | None, most: int = 10) -> list[Row]:
    """Return the latents that carry most."""
    if nats is None:
        return []
    order = np.argsort(nats, axis=None, kind="stable")[::-1][:most]
    names = [", ".join(map(str, np.unravel_index(i, nats.shape))) for i in order]
    return [(f"latent {name}", f"{nats.ravel()[i]:.2f}") for name, i in zip(names, order, strict=True)]
