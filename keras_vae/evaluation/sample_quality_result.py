"""The figures of sample quality."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from keras_vae.evaluation.result import Result, Row
from keras_vae.plots.drawing import number


@dataclass(frozen=True)
class Closeness:
    """How far some images are from the reference.

    Attributes:
        frechet: Squared Fréchet distance.
        kernel: MMD².
        kernel_error: Its standard error.
        precision: Share of the images that look like the reference's.
        recall: Share of the reference that they cover.
    """

    frechet: float
    kernel: float
    kernel_error: float
    precision: float
    recall: float


@dataclass(frozen=True, eq=False)
class SampleQuality(Result):
    """How far samples are from the reference, and how far real images are, in a small classifier's features.

    Attributes:
        samples: Of x ~ p(x|z).
        means: Of the means of p(x|z).
        held_out: Of real images: the floor.
        num_reference: Images in the reference.
        num_images: Samples, means and held-out images, each.
        num_features: Size of the classifier's last hidden layer.
        neighbours: k of precision and recall.
        classifier_accuracy: On images it was not trained on.
    """

    title: ClassVar[str] = "Sample quality, in features of a small classifier: not comparable to Inception figures"

    samples: Closeness
    means: Closeness
    held_out: Closeness
    num_reference: int
    num_images: int
    num_features: int
    neighbours: int
    classifier_accuracy: float

    @property
    def _rows(self) -> dict[str, Closeness]:
        return {"samples x ~ p(x|z)": self.samples, "means of p(x|z)": self.means, "held-out images": self.held_out}

    def table(self) -> Sequence[Row]:
        """Return one row for each kind of images."""
        return [
            ("", "Fréchet", "kernel", "± s.e.", "precision", "recall"),
            *(
                (
                    name,
                    f"{found.frechet:.4g}",
                    number(found.kernel, ".3g"),
                    f"{found.kernel_error:.2g}",
                    f"{found.precision:.3f}",
                    f"{found.recall:.3f}",
                )
                for name, found in self._rows.items()
            ),
            ("classifier's accuracy", f"{self.classifier_accuracy:.4f}"),
            ("images each, reference", str(self.num_images), str(self.num_reference)),
        ]

    def figure(self) -> Figure:
        """Draw all figures as bars, one panel a measure."""
        figure = Figure(figsize=(9, 3.1), layout="constrained")
        figure.suptitle(self.title, fontsize=9)
        axes = figure.subplots(1, 4)
        names = [name.split(" ")[0] for name in self._rows]
        colours = ["C0", "C1", "0.6"]
        titles = {
            "frechet": "Fréchet distance",
            "kernel": "kernel distance",
            "precision": "precision",
            "recall": "recall",
        }
        for axis, (measure, title) in zip(axes, titles.items(), strict=True):
            values = [getattr(found, measure) for found in self._rows.values()]
            errors = [found.kernel_error for found in self._rows.values()] if measure == "kernel" else None
            axis.bar(names, values, yerr=errors, color=colours, capsize=3)
            axis.tick_params(axis="x", labelsize=8)
            axis.tick_params(axis="y", labelsize=7)
            axis.set_title(title, fontsize=9)
            if measure in ("precision", "recall"):
                axis.set_ylim(0, 1)
        return figure

    def warnings(self) -> Sequence[str]:
        """Say what the figures cannot be compared with, and where there are too few images."""
        found = [
            "the features are those of a small classifier trained on this data: compare the figures with the held-out "
            "images' and with models measured by the same classifier, not with Inception figures (FID, KID)"
        ]
        fewest = min(self.num_images, self.num_reference)
        if fewest <= self.num_features:
            found.append(
                f"{fewest} images give no full covariance of {self.num_features} features: the Fréchet distances are "
                "far too large, the held-out images' too"
            )
        return found
