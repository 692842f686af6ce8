"""The figures of a representation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.confusion import draw_confusion


@dataclass(frozen=True, eq=False)
class Representation(Result):
    """What classifiers and a search find in the codes of a test set, trained on those of a training set.

    Attributes:
        classes: The labels, `[classes]`.
        knn_confusion: By nearest neighbours: test examples of each true class (row) and predicted one, `[classes,
            classes]`.
        probe_confusion: By the linear probe, likewise.
        retrieval: Mean precision at k for the test examples of each class, `[classes]`; NaN if it has none.
        neighbours: How many neighbours vote.
        retrieved: k of the precision.
        num_train: Training examples.
        num_latents: Size of a code.
        converged: Whether the linear probe's optimiser did.
        labels_given: Whether the encoder was given the labels.
    """

    title: ClassVar[str] = "Classes in the posterior means"

    classes: np.ndarray
    knn_confusion: np.ndarray
    probe_confusion: np.ndarray
    retrieval: np.ndarray
    neighbours: int
    retrieved: int
    num_train: int
    num_latents: int
    converged: bool
    labels_given: bool

    @property
    def knn_accuracy(self) -> float:
        """Share of test examples whose class their nearest neighbours tell."""
        return _accuracy(self.knn_confusion)

    @property
    def probe_accuracy(self) -> float:
        """Share of test examples whose class the linear probe tells."""
        return _accuracy(self.probe_confusion)

    @property
    def retrieval_precision(self) -> float:
        """Mean precision at k over test examples."""
        return float(np.nansum(self.retrieval * self._counts) / self._counts.sum())

    @property
    def _counts(self) -> np.ndarray:
        return self.knn_confusion.sum(axis=1)

    def table(self) -> Sequence[Row]:
        """Return accuracies and precision, of all test examples and of each class."""
        shares = [_recalls(self.knn_confusion), _recalls(self.probe_confusion), self.retrieval]
        whole = (self.knn_accuracy, self.probe_accuracy, self.retrieval_precision)
        return [
            ("class", "examples", f"{self.neighbours}-NN", "linear probe", f"precision@{self.retrieved}"),
            ("all", str(self._counts.sum()), *(f"{value:.4f}" for value in whole)),
            *(
                (str(name), str(self._counts[i]), *(f"{share[i]:.4f}" for share in shares))
                for i, name in enumerate(self.classes)
            ),
            ("largest class", "", *[f"{self._counts.max() / self._counts.sum():.4f}"] * 2),
        ]

    def figure(self) -> Figure:
        """Draw both confusion matrices."""
        return draw_confusion(
            {
                f"{self.neighbours}-NN, {self.knn_accuracy:.3f}": self.knn_confusion,
                f"linear probe, {self.probe_accuracy:.3f}": self.probe_confusion,
            },
            [str(name) for name in self.classes],
        )

    def warnings(self) -> Sequence[str]:
        """Say where the figures are not what they seem."""
        found = []
        if self.labels_given:
            found.append("the encoder was given the labels: the figures say how much of them it passed on")
        if not self.converged:
            found.append("the linear probe's optimiser did not converge; its accuracy may be too low")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything found, the figures over all classes first."""
        names = ("knn_accuracy", "probe_accuracy", "retrieval_precision")
        return {"measure": type(self).__name__, **{name: getattr(self, name) for name in names}, **super().to_dict()}


def _accuracy(confusion: np.ndarray) -> float:
    return float(np.trace(confusion) / confusion.sum())


def _recalls(confusion: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.diag(confusion) / confusion.sum(axis=1)
