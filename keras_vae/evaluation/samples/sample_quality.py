"""Sample quality: distances between samples and data in the features of a classifier."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from keras_vae.evaluation.batches import through
from keras_vae.evaluation.result import Result, Row
from keras_vae.evaluation.samples.distances import frechet_distance, kernel_distance, precision_recall
from keras_vae.evaluation.samples.features import ClassifierFeatures
from keras_vae.plots.drawing import Plot, number
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.utils.deprecation import renamed_argument, renamed_attribute
from keras_vae.vae import VAE


@dataclass(frozen=True)
class Closeness:
    """Distances between a set of images and the reference.

    Attributes:
        frechet: Squared Fréchet distance.
        kernel: MMD².
        kernel_error: Standard error of MMD².
        precision: Share of the images that lie on the manifold of the reference.
        recall: Share of the reference that lies on the manifold of the images.
    """

    frechet: float
    kernel: float
    kernel_error: float
    precision: float
    recall: float


@dataclass(frozen=True, eq=False)
class SampleQuality(Result):
    """Distances of samples and of held-out images to the reference, in the features of a small classifier.

    Attributes:
        samples: Distances of x ~ p(x|z).
        means: Distances of the means of p(x|z).
        held_out: Distances of real images, the lower limit.
        num_reference: Number of images in the reference.
        num_images: Number of samples, of means, and of held-out images.
        num_features: Size of the last hidden layer of the classifier.
        neighbors: k of precision and recall.
        classifier_accuracy: Accuracy of the classifier on test images.
    """

    title: ClassVar[str] = "Sample quality, in the features of a small classifier (not comparable with Inception)"

    samples: Closeness
    means: Closeness
    held_out: Closeness
    num_reference: int
    num_images: int
    num_features: int
    neighbors: int
    classifier_accuracy: float

    neighbours = renamed_attribute("neighbours", "neighbors")

    @property
    def _rows(self) -> dict[str, Closeness]:
        return {"samples x ~ p(x|z)": self.samples, "means of p(x|z)": self.means, "held-out images": self.held_out}

    def table(self) -> Sequence[Row]:
        """Return one row per kind of images."""
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
            ("accuracy of the classifier", f"{self.classifier_accuracy:.4f}"),
            ("images per row, in the reference", str(self.num_images), str(self.num_reference)),
        ]

    def figure(self) -> Figure:
        """Draw the figures as bars, one panel per measure."""
        figure = Plot(figsize=(9, 3.1), layout="constrained")
        figure.suptitle(self.title, fontsize=9)
        axes = figure.subplots(1, 4)
        names = [name.split(" ")[0] for name in self._rows]
        colors = ["C0", "C1", "0.6"]
        titles = {
            "frechet": "Fréchet distance",
            "kernel": "kernel distance",
            "precision": "precision",
            "recall": "recall",
        }
        for axis, (measure, title) in zip(axes, titles.items(), strict=True):
            values = [getattr(found, measure) for found in self._rows.values()]
            errors = [found.kernel_error for found in self._rows.values()] if measure == "kernel" else None
            axis.bar(names, values, yerr=errors, color=colors, capsize=3)
            axis.tick_params(axis="x", labelsize=8)
            axis.tick_params(axis="y", labelsize=7)
            axis.set_title(title, fontsize=9)
            if measure in ("precision", "recall"):
                axis.set_ylim(0, 1)
        return figure

    def warnings(self) -> Sequence[str]:
        """Warn about wrong comparisons, and about too few images."""
        found = [
            "the features are those of a small classifier trained on this data: compare the figures with those "
            "of the held-out images, and of models measured with the same classifier, not with FID or KID"
        ]
        fewest = min(self.num_images, self.num_reference)
        if fewest <= self.num_features:
            found.append(
                f"{fewest} images are too few for the covariance of {self.num_features} features: all Fréchet "
                "distances are far too large"
            )
        return found


@renamed_argument("neighbours", "neighbors")
def sample_quality(
    model: VAE,
    reference: Any,
    *,
    held_out: Any,
    features: ClassifierFeatures,
    neighbors: int = 3,
    blocks: int = 10,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> SampleQuality:
    """Compare samples with real images: Fréchet and kernel distance, precision and recall.

    The features are those of a small classifier trained on the same data (`learn_features`), so the figures are not
    comparable with those in Inception features (FID, KID) or with those of another classifier. Compare them with the
    lower limit in the same table: the same number of real images that neither the model nor the classifier saw.

    The samples are x ~ p(x|z), z ~ p(z): draws from the model, with the values of the data (binary if the data are);
    real images are passed to the classifier as they would be passed to the model. The means of p(x|z), which papers
    show as samples, are not draws from p(x): for binary data they are gray. But draws of gray images with independent
    pixels have the noise of the likelihood, which dominates their distance, so the means have a row of their own.

    The Fréchet distance is to the whole reference; for the others the larger set is cut to the size of the smaller one.
    With 60,000 images in the reference and 10,000 held out, this takes about half a minute on one core.

    Args:
        model: A trained VAE of images.
        reference: Real images, such as the training set: arrays `[n, height, width, channels]`, or a batched
            `tf.data.Dataset` of x or (x, y).
        held_out: Other real images, such as the test set, in the same form. The same number of samples is drawn; a
            conditional model gets the y of these images.
        features: From `learn_features`.
        neighbors: k of precision and recall.
        blocks: Number of blocks of the kernel distance, for its standard error.
        batch_size: Batch size for arrays; a dataset keeps its own.
        seed: Seed of the samples.
        verbose: Whether to show progress bars.

    Returns:
        The figures for the samples, the means, and the held-out images.

    Raises:
        ValueError: If there are too few images for the neighbors or blocks, the classifier expects images of another
            shape, or `VAE.fit` would refuse the data.

    Example:
        >>> import keras_vae as kv
        >>> x = (np.random.default_rng(0).random([128, 8, 8, 1]) < 0.5).astype("float32")
        >>> labels = x[:, 0, 0, 0].astype(int)
        >>> features = kv.evaluation.learn_features((x, labels), test=(x, labels), epochs=1, verbose=False)
        >>> vae = kv.models.vae((8, 8, 1), latent_size=2, hidden=[8])
        >>> found = kv.evaluation.sample_quality(vae, x[:64], held_out=x[64:], features=features, verbose=False)
        >>> found.samples.frechet >= 0, 0 <= found.samples.precision <= 1
        (True, True)
    """
    seed = seed_number(seed, "sample_quality")
    least = max(
        2 * positive_integer(blocks, "sample_quality: blocks"),
        1 + positive_integer(neighbors, "sample_quality: neighbors"),
    )
    draw = compiled(lambda count, y, noise: _draw(model, count, y, noise))
    batches = functools.partial(through, model, batch_size=batch_size, verbose=verbose)
    known = np.concatenate([features(batch.x) for batch in batches(reference, measure="sample quality, reference")])
    rows = []
    for batch in batches(held_out, measure="sample quality"):
        noise = streams.derive(seed, "sample_quality", batch.number)
        images = (*draw(tf.shape(batch.x)[0], batch.condition, noise), batch.x)
        rows.append([features(each) for each in images])
    samples, means, real = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    count = min(len(known), len(real))
    if count < least:
        raise ValueError(
            f"sample_quality: there are too few images: expected {least} or more in both sets, for {blocks} blocks and "
            f"{neighbors} neighbors, received {len(known)} and {len(real)}"
        )
    generator = streams.generator(seed, "sample_quality")
    of_reference, of_found = (generator.permutation(len(each))[:count] for each in (known, real))

    def closeness(found: np.ndarray) -> Closeness:
        some, others = known[of_reference], found[of_found]
        value, error = kernel_distance(some, others, blocks=blocks, seed=seed)
        precision, recall = precision_recall(some, generated=others, neighbors=neighbors)
        return Closeness(frechet_distance(known, found), value, error, precision, recall)

    return SampleQuality(
        samples=closeness(samples),
        means=closeness(means),
        held_out=closeness(real),
        num_reference=len(known),
        num_images=len(real),
        num_features=features.size,
        neighbors=int(neighbors),
        classifier_accuracy=features.accuracy,
    )


def _draw(model: VAE, count: tf.Tensor, y: tf.Tensor | None, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return x ~ p(x|z) and the means of p(x|z), z ~ p(z), each `[count, *event]`."""
    of_z, of_x = (streams.fold_in(noise, i) for i in range(2))
    parameters = model.decode(model.sample_prior(count, seed=of_z, condition=y), condition=y)
    mean = parameters.pop("mean")
    return model.observed_family.distribution(parameters).sample(seed=of_x), mean
