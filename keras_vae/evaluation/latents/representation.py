"""Representation: how well classes can be read from the posterior means, by neighbors, a linear probe and retrieval."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_vae.evaluation.latents.codes import codes
from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.drawing import draw_confusion
from keras_vae.utils.arguments import positive_integer
from keras_vae.utils.deprecation import renamed_argument, renamed_attribute
from keras_vae.vae import VAE

# Of the linear probe's optimizer, at most.
_STEPS = 2000


@dataclass(frozen=True, eq=False)
class Representation(Result):
    """How well the codes of a training set predict the classes of a test set.

    Attributes:
        classes: The labels, `[classes]`.
        knn_confusion: Test examples by true class (row) and class predicted by nearest neighbors (column), `[classes,
            classes]`.
        probe_confusion: The same for the linear probe.
        retrieval: Mean precision at k over the test examples of each class, `[classes]`; NaN for a class without any.
        neighbors: Number of neighbors that vote.
        retrieved: k of the precision.
        num_train: Number of training examples.
        num_latents: Size of a code.
        converged: Whether the optimizer of the linear probe converged.
        labels_given: Whether the encoder receives the labels.
    """

    title: ClassVar[str] = "Classes in the posterior means"

    classes: np.ndarray
    knn_confusion: np.ndarray
    probe_confusion: np.ndarray
    retrieval: np.ndarray
    neighbors: int
    retrieved: int
    num_train: int
    num_latents: int
    converged: bool
    labels_given: bool

    neighbours = renamed_attribute("neighbours", "neighbors")

    @property
    def knn_accuracy(self) -> float:
        """Share of test examples whose class the nearest neighbors predict."""
        return _accuracy(self.knn_confusion)

    @property
    def probe_accuracy(self) -> float:
        """Share of test examples whose class the linear probe predicts."""
        return _accuracy(self.probe_confusion)

    @property
    def retrieval_precision(self) -> float:
        """Mean precision at k over test examples."""
        return float(np.nansum(self.retrieval * self._counts) / self._counts.sum())

    @property
    def _counts(self) -> np.ndarray:
        return self.knn_confusion.sum(axis=1)

    def table(self) -> Sequence[Row]:
        """Return accuracies and precision, over all test examples and by class."""
        shares = [_recalls(self.knn_confusion), _recalls(self.probe_confusion), self.retrieval]
        whole = (self.knn_accuracy, self.probe_accuracy, self.retrieval_precision)
        return [
            ("class", "examples", f"{self.neighbors}-NN", "linear probe", f"precision@{self.retrieved}"),
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
                f"{self.neighbors}-NN, {self.knn_accuracy:.3f}": self.knn_confusion,
                f"linear probe, {self.probe_accuracy:.3f}": self.probe_confusion,
            },
            [str(name) for name in self.classes],
        )

    def warnings(self) -> Sequence[str]:
        """Warn where the figures can mislead."""
        found = []
        if self.labels_given:
            found.append("the encoder receives the labels, so the figures show how much of them it passes on")
        if not self.converged:
            found.append("the optimizer of the linear probe did not converge, so its accuracy can be too low")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all results, the figures over all classes first."""
        names = ("knn_accuracy", "probe_accuracy", "retrieval_precision")
        return {"measure": type(self).__name__, **{name: getattr(self, name) for name in names}, **super().to_dict()}


def _accuracy(confusion: np.ndarray) -> float:
    return float(np.trace(confusion) / confusion.sum())


def _recalls(confusion: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.diag(confusion) / confusion.sum(axis=1)


@renamed_argument("neighbours", "neighbors")
def representation(
    model: VAE,
    train: Any,
    *,
    test: Any,
    neighbors: int = 15,
    retrieved: int = 10,
    group: str | None = None,
    batch_size: int = 100,
    verbose: bool = True,
) -> Representation:
    """Predict the classes of test examples from their posterior means.

    By a vote of the nearest training codes (15 in Loaiza-Ganem & Cunningham 2019), by a linear probe, and by retrieval:
    the share of the k nearest training codes that have the class. Distances are Euclidean between the raw means; for
    the probe the means are standardized. Nothing is random.

    Args:
        model: A trained VAE.
        train: The training set of the classifiers: arrays (x, labels), or a batched `tf.data.Dataset` of (x, label).
        test: The test set, in the same form.
        neighbors: Number of neighbors that vote.
        retrieved: k of the precision.
        group: The group of latents; by default the means of all groups, side by side.
        batch_size: Batch size for arrays; a dataset keeps its own.
        verbose: Whether to show progress bars.

    Returns:
        Accuracies and precision, over all examples and by class.

    Raises:
        ValueError: If the group is unknown, there are no labels, they are not one integer per example, `test` has a
            class that `train` does not, there are fewer training examples than neighbors, or `VAE.fit` would refuse
            the data.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> x, labels = np.eye(4, dtype="float32")[np.arange(40) % 4], np.arange(40) % 4
        >>> found = kv.evaluation.representation(vae, (x, labels), test=(x[:8], labels[:8]), neighbors=3, verbose=False)
        >>> found.knn_accuracy
        1.0
    """
    most = max(
        positive_integer(neighbors, "representation: neighbors"),
        positive_integer(retrieved, "representation: retrieved"),
    )
    learned, scored = (
        codes(
            model,
            part,
            group=group,
            measure=f"representation, {name}",
            batch_size=batch_size,
            labels=True,
            verbose=verbose,
        )
        for name, part in (("train", train), ("test", test))
    )
    known, asked = _labels(learned.labels, "train"), _labels(scored.labels, "test")
    if len(known) < most:
        raise ValueError(
            f"representation: there are too few training examples: expected {most} or more, one per neighbor, received "
            f"{len(known)}"
        )
    classes, place = np.unique(known, return_inverse=True)
    unknown = np.setdiff1d(asked, classes)
    if len(classes) < 2 or len(unknown):
        raise ValueError(
            "representation: the classes do not match: expected two or more in train, and no other ones in test, "
            f"received {classes.tolist()} in train" + (f" and also {unknown.tolist()} in test" if len(unknown) else "")
        )
    truth = np.searchsorted(classes, asked)
    around = place[nearest(learned.means, test=scored.means, count=most)]
    probed, converged = linear_probe(learned.means, place, test=scored.means)
    right = precision(around[:, :retrieved], truth)
    counts = np.bincount(truth, minlength=len(classes))
    with np.errstate(invalid="ignore"):
        retrieval = np.bincount(truth, right, minlength=len(classes)) / counts
    return Representation(
        classes=classes,
        knn_confusion=_confusion(truth, vote(around[:, :neighbors], len(classes)), len(classes)),
        probe_confusion=_confusion(truth, probed, len(classes)),
        retrieval=retrieval,
        neighbors=int(neighbors),
        retrieved=int(retrieved),
        num_train=len(known),
        num_latents=learned.means.shape[1],
        converged=converged,
        labels_given=model.condition is not None,
    )


def _labels(labels: np.ndarray | None, name: str) -> np.ndarray:
    assert labels is not None, "required in codes"
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise ValueError(
            f"representation: the labels of {name} have the wrong shape or dtype: expected one integer per example, "
            f"received {labels.dtype} of shape {labels.shape}. Use numpy.argmax(y, axis=-1) for one-hot labels"
        )
    return labels.astype(np.int64)


def _confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def linear_probe(train: np.ndarray, labels: np.ndarray, *, test: np.ndarray) -> tuple[np.ndarray, bool]:
    """Predict classes by multinomial logistic regression on standardized codes (Alain & Bengio 2017, section 3).

    Uses scikit-learn with its default weight decay, C = 1.

    Args:
        train: `[n, D]`.
        labels: Classes of the training codes, integers `[n]`, with two or more values.
        test: `[m, D]`.

    Returns:
        The predicted classes, `[m]`, and whether the optimizer converged.

    Example:
        >>> codes = np.array([[0.0], [1.0], [8.0], [9.0]])
        >>> predicted, converged = linear_probe(codes, np.array([0, 0, 1, 1]), test=np.array([[2.0], [7.0]]))
        >>> predicted.tolist(), converged
        ([0, 1], True)
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_STEPS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # reported in the result
        probe.fit(np.asarray(train, np.float64), labels)
    converged = bool(np.max(probe[-1].n_iter_) < _STEPS)
    return probe.predict(np.asarray(test, np.float64)), converged


def nearest(train: np.ndarray, *, test: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` nearest rows of `train` `[n, D]`, nearest first, `[m, count]`.

    Distances are Euclidean and exact.

    Example:
        >>> nearest(np.array([[0.0], [5.0], [1.0]]), test=np.array([[0.9]]), count=2).tolist()
        [[2, 0]]
    """
    index = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(np.asarray(train, np.float64))
    return index.kneighbors(np.asarray(test, np.float64), return_distance=False)


def vote(neighbors: np.ndarray, classes: int) -> np.ndarray:
    """Return the most frequent class of the neighbors; of a tie, the smaller class.

    Args:
        neighbors: Classes of the neighbors of each test code, integers `[m, k]`.
        classes: Number of classes.

    Returns:
        `[m]`.

    Example:
        >>> vote(np.array([[2, 0, 2], [1, 0, 2]]), 3).tolist()
        [2, 0]
    """
    counts = np.zeros([len(neighbors), classes], np.int64)
    np.add.at(counts, (np.arange(len(neighbors))[:, None], neighbors), 1)
    return counts.argmax(axis=1)


def precision(neighbors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of each test code's neighbors `[m, k]` that have its class `[m]`: precision at k, `[m]`.

    Example:
        >>> precision(np.array([[2, 0, 2, 2], [1, 0, 2, 0]]), np.array([2, 1])).tolist()
        [0.75, 0.25]
    """
    return (neighbors == labels[:, None]).mean(axis=1)
