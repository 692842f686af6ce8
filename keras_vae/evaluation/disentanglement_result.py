"""The scores of disentanglement, and which latent tells of which factor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_vae.evaluation.disentanglement_metrics.mutual_information import BINS
from keras_vae.evaluation.result import Result, Row

# Of a factor's entropy: as much bias of counts, or as much of another factor, is worth a warning.
_NOTABLE = 0.05
# More latents than these have no numbers written into the cells.
_WRITTEN = 24

_TITLES = {
    "beta_vae": "β-VAE metric",
    "factor_vae": "FactorVAE metric",
    "mig": "MIG",
    "sap": "SAP",
    "dci_disentanglement": "DCI disentanglement",
    "dci_completeness": "DCI completeness",
    "dci_informativeness": "DCI informativeness",
    "modularity": "modularity",
}


@dataclass(frozen=True, eq=False)
class Disentanglement(Result):
    """Scores of disentanglement, 1 at best.

    Attributes:
        scores: By metric; DCI has three.
        by_chance: The same of the same codes, with the rows of the factors shuffled.
        factors: Their names.
        examples: How many rows.
        information: I(z; v) in nats of codes cut into 20 bins, `[latents, k]`.
        entropies: H(v) in nats, `[k]`.
        between_factors: I of every factor with every factor in nats, `[k, k]`.
        importance: Of each latent for each factor in DCI's forests, `[latents, k]`; None if DCI was not asked for.
    """

    title: ClassVar[str] = "Disentanglement"

    scores: dict[str, float]
    by_chance: dict[str, float]
    factors: tuple[str, ...]
    examples: int
    information: np.ndarray
    entropies: np.ndarray
    between_factors: np.ndarray
    importance: np.ndarray | None

    def table(self) -> Sequence[Row]:
        """Return the scores, what they are by chance, and where each factor is."""
        scores = [(_TITLES[name], f"{score:.3f}", f"{self.by_chance[name]:.3f}") for name, score in self.scores.items()]
        return [("", "score", "by chance"), *scores, *self._places()]

    def _places(self) -> list[Row]:
        """Return the latent that tells most of each factor, and how much."""
        shares = self.information / self.entropies
        best = np.argmax(shares, axis=0)
        return [
            (f"most of {name}", f"z{latent}", f"{shares[latent, i]:.0%}")
            for i, (name, latent) in enumerate(zip(self.factors, best, strict=True))
        ]

    def figure(self) -> Figure:
        """Draw which latent tells of which factor: by mutual information and, if there is one, by DCI's forests."""
        pictures = {"share of the factor's entropy": self.information / self.entropies}
        if self.importance is not None:
            pictures["importance in DCI's forests"] = self.importance
        latents, factors = self.information.shape
        width = max(2.8, 0.62 * factors + 0.8)
        figure = Figure(figsize=(width * len(pictures) + 0.8, max(2.6, min(9, 0.28 * latents + 1.4))))
        figure.set_layout_engine("constrained")
        axes = figure.subplots(1, len(pictures), squeeze=False, sharey=True)[0]
        for axis, (name, matrix) in zip(axes, pictures.items(), strict=True):
            image = self._draw(axis, matrix)
            axis.set_title(name, fontsize=9)
        axes[0].set_ylabel("latent")
        figure.colorbar(image, ax=axes, fraction=0.05)
        return figure

    def _draw(self, axis: Any, matrix: np.ndarray) -> Any:
        image = axis.imshow(matrix, vmin=0, vmax=1, cmap="Blues", aspect="auto", interpolation="nearest")
        latents, factors = matrix.shape
        axis.set_xticks(range(factors), self.factors, rotation=30 if factors > 3 else 0)
        every = -(-latents // 40)
        axis.set_yticks(range(0, latents, every), [f"z{i}" for i in range(0, latents, every)], fontsize=8)
        if latents <= _WRITTEN:
            for (row, column), value in np.ndenumerate(matrix):
                colour = "white" if value > 0.6 else "black"
                axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
        return image

    def warnings(self) -> Sequence[str]:
        """Say where counts are few, or factors are not independent."""
        found = []
        values = np.exp(self.entropies)  # as many as equally frequent values would be
        bias = (BINS - 1) * (values - 1) / (2 * self.examples) / self.entropies
        if np.max(bias) > _NOTABLE:
            worst = self.factors[int(np.argmax(bias))]
            found.append(
                f"{self.examples} examples are few for {BINS} bins: counts alone may give a latent {np.max(bias):.0%} "
                f"of the entropy of {worst}, in MIG and modularity"
            )
        shared = self.between_factors / np.minimum(self.entropies[:, None], self.entropies)
        np.fill_diagonal(shared, 0.0)
        if np.max(shared) > _NOTABLE:
            one, other = np.unravel_index(np.argmax(shared), shared.shape)
            found.append(
                f"the factors are not independent in this data ({self.factors[one]} and {self.factors[other]} share "
                f"{np.max(shared):.0%} of the smaller entropy), and the metrics take them to be"
            )
        return found
