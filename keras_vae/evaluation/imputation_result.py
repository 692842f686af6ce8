"""The figures of imputation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.drawing import labelled_grid, number

# Accepted proposals in the second half of a chain, below which its start still shows.
_FEW_MOVES = 5
_HIDDEN_COLOUR = (0.95, 0.75, 0.35)
_SHOWN = 10
_POINTS = 5000


@dataclass(frozen=True, eq=False)
class Imputation(Result):
    """Hidden values filled in by the model, beside the true ones.

    Attributes:
        method: "metropolis" or "gibbs".
        num_steps: Of each chain.
        binary: Whether x is 0 or 1.
        x: The data, `[n, *event]`.
        hidden: True where hidden, the same shape.
        means: x with E[x_hidden|x_observed] in the hidden places, the same shape.
        baseline: What it is compared with, `[*event]`.
        acceptance: Share of proposals accepted, `[n]`; 1 for "gibbs".
        nats: −Σ log p(x_part|x_observed) over the hidden parts of each example, `[n]`, each part by itself.
        hidden_parts: How many these are, `[n]`: values, or pixels where the channels go together.
    """

    title: ClassVar[str] = "Imputation of hidden values"

    method: str
    num_steps: int
    binary: bool
    x: np.ndarray = field(metadata={"json": False})
    hidden: np.ndarray = field(metadata={"json": False})
    means: np.ndarray = field(metadata={"json": False})
    baseline: np.ndarray
    acceptance: np.ndarray
    nats: np.ndarray
    hidden_parts: np.ndarray

    @property
    def rmse(self) -> float:
        """Root mean squared error of the imputed means over all hidden values."""
        return self._figures()["root mean squared error"][0][0]

    @property
    def baseline_rmse(self) -> float:
        """The baseline's."""
        return self._figures()["root mean squared error"][1][0]

    @property
    def nats_per_part(self) -> float:
        """Mean −log p(x_part|x_observed) over the hidden parts."""
        return _ratio(self.nats, self.hidden_parts)[0]

    def table(self) -> Sequence[Row]:
        """Return the error at the hidden values with standard errors over examples, the model's and the baseline's."""
        rows = [
            (name, *(" ± ".join(number(part, ".4f") for part in pair) for pair in pairs))
            for name, pairs in self._figures().items()
        ]
        return [
            ("", "model", "baseline"),
            *rows,
            ("hidden share", f"{self.hidden.mean():.1%}"),
            ("proposals accepted", f"{self.acceptance.mean():.1%}"),
        ]

    def _figures(self) -> dict[str, list[tuple[float, float]]]:
        """Return each figure with its standard error, the model's and, if it has one, the baseline's."""
        counts = self._sum(np.ones_like(self.means))
        both = (self.means, np.broadcast_to(self.baseline, self.x.shape))
        squared = [_ratio(self._sum((guess - self.x) ** 2), counts) for guess in both]
        roots = [(math.sqrt(mean), error / (2 * math.sqrt(mean)) if mean > 0 else 0.0) for mean, error in squared]
        found = {"root mean squared error": roots}
        nats = [_ratio(self.nats, self.hidden_parts)]
        if self.binary:
            found["accuracy"] = [_ratio(self._sum((guess > 0.5) == (self.x > 0.5)), counts) for guess in both]
            # Never certain, as a pixel that was always black among n may be white in the next.
            lit = (len(self.x) * both[1] + 0.5) / (len(self.x) + 1)
            nats.append(_ratio(self._sum(-np.log(np.where(self.x > 0.5, lit, 1 - lit))), counts))
        found["nats per hidden " + ("value" if self.hidden_parts.sum() == self.hidden.sum() else "pixel")] = nats
        return found

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Return sums over each example's hidden values, `[n]`."""
        return np.where(self.hidden, values, 0.0).reshape(len(self.x), -1).sum(axis=1, dtype=np.float64)

    def warnings(self) -> Sequence[str]:
        """Say where the imputed values may not be those of the model."""
        found = []
        if len(self.x) == 1 and np.array_equal(self.baseline, self.x[0]):
            found.append("the baseline is the one example itself, and knows all: give baseline=, or more examples")
        if self.method == "gibbs":
            found.append("pseudo-Gibbs is right only as far as q(z|x) is the exact posterior; 'metropolis' corrects it")
            return found
        few = int(np.sum(self.acceptance * (self.num_steps - self.num_steps // 2) < _FEW_MOVES))
        if few:
            found.append(
                f"for {few} of {len(self.x)} examples a chain's second half accepted fewer than {_FEW_MOVES} proposals "
                "on average, so that the pseudo-Gibbs steps it began with still show: take more steps"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, each with its standard error, and what they were made of, without the images."""
        figures = {
            name: [[part if math.isfinite(part) else None for part in pair] for pair in pairs]
            for name, pairs in self._figures().items()
        }
        return {**super().to_dict(), "figures": figures, "hidden_share": float(self.hidden.mean())}

    def figure(self) -> Figure:
        """Draw images, what was visible of them, and what was filled in; of other data, imputed against true values."""
        if self.x.ndim == 4 and self.x.shape[-1] in (1, 3):
            return self._images()
        chosen = np.flatnonzero(self.hidden)
        chosen = np.random.default_rng(0).permutation(chosen)[:_POINTS]
        true, guess = self.x.ravel()[chosen], self.means.ravel()[chosen]
        figure = Figure(figsize=(4, 4), layout="constrained")
        axis = figure.subplots()
        axis.scatter(true, guess, s=8, alpha=0.5, linewidths=0)
        axis.axline((float(true.mean()),) * 2, slope=1, color="0.3", linewidth=0.8)
        axis.set_xlabel("hidden value")
        axis.set_ylabel("imputed mean")
        return figure

    def _images(self) -> Figure:
        low, high = min(0.0, float(self.x.min())), max(1.0, float(self.x.max()))
        data, imputed = (
            np.repeat((images[:_SHOWN] - low) / (high - low), 3 // images.shape[-1], axis=-1)
            for images in (self.x, self.means)
        )
        hidden = self.hidden[:_SHOWN].any(axis=-1, keepdims=True)
        visible = np.where(hidden, np.array(_HIDDEN_COLOUR), data)
        return labelled_grid(np.stack([data, visible, imputed]), ("data", "visible", "imputed"))[0]


def _ratio(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Return Σ sums / Σ counts and its standard error over examples; NaN for one example.

    Example:
        >>> _ratio(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
        (2.0, 1.0)
    """
    ratio = float(np.sum(sums) / np.sum(counts))
    n = len(sums)
    if n < 2:
        return ratio, math.nan
    deviations = sums - ratio * counts
    return ratio, float(math.sqrt(n / (n - 1) * np.sum(deviations**2)) / np.sum(counts))
