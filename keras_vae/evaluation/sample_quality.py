"""How far samples are from data, in a classifier's features."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from keras_vae import seeds as streams
from keras_vae.checks import positive_integer, seed_number
from keras_vae.evaluation import prior_draws
from keras_vae.evaluation.batches import through
from keras_vae.evaluation.features import ClassifierFeatures
from keras_vae.evaluation.frechet import frechet_distance
from keras_vae.evaluation.kernel_distance import kernel_distance
from keras_vae.evaluation.precision_recall import precision_recall
from keras_vae.evaluation.sample_quality_result import Closeness, SampleQuality
from keras_vae.vae import VAE


def sample_quality(
    model: VAE,
    reference: Any,
    held_out: Any,
    features: ClassifierFeatures,
    *,
    neighbours: int = 3,
    blocks: int = 10,
    batch_size: int = 100,
    seed: int = 0,
    verbose: bool = True,
) -> SampleQuality:
    """Compare samples with real images: Fréchet and kernel distance, precision and recall.

    The features are those of a small classifier trained on the same data (`learn_features`), so that no figure
    here is comparable to one of Inception features (FID, KID), nor to one of another classifier. What they can be
    compared with is the floor in the same table: real images, as many as the samples, that the model and the
    classifier were not trained on.

    What is compared are x ~ p(x|z), z ~ p(z): draws of the model, in the data's own values (binary, where the data
    are); real images go to the classifier as they would go to the model. The likelihood's means, which papers show
    as samples, are no draws of p(x): of binary data they are grey. But draws of grey images with independent pixels
    carry the likelihood's noise, and their distance is mostly that; so the means stand beside, in a row of their own.

    The Fréchet distance is that to the whole reference; for the others the larger set is cut to the size of the
    smaller one. With 60,000 images in the reference and 10,000 held out all takes about half a minute of one core.

    Args:
        model: A trained VAE of images.
        reference: Real images, such as the training set: arrays `[n, height, width, channels]`, or a batched
            `tf.data.Dataset` of x or (x, y).
        held_out: Other real images, such as the test set, likewise. As many samples are drawn; those of a
            conditional model are given its y.
        features: From `learn_features`.
        neighbours: k of precision and recall.
        blocks: Of the kernel distance, behind its standard error.
        batch_size: For arrays; a dataset keeps its own.
        seed: Of the samples.
        verbose: Whether to show progress bars.

    Returns:
        The figures of the samples, of the means, and of the held-out images.

    Raises:
        ValueError: If there are too few images for the neighbours or blocks, the classifier is of images of another
            shape, or data is refused as in `VAE.fit`.

    Example:
        >>> import keras_vae as kv
        >>> x = (np.random.default_rng(0).random([128, 8, 8, 1]) < 0.5).astype("float32")
        >>> labels = x[:, 0, 0, 0].astype(int)
        >>> features = kv.evaluation.learn_features((x, labels), (x, labels), epochs=1, verbose=False)
        >>> vae = kv.models.vae((8, 8, 1), latent_size=2, hidden=[8])
        >>> found = kv.evaluation.sample_quality(vae, x[:64], x[64:], features, verbose=False)
        >>> found.samples.frechet >= 0, 0 <= found.samples.precision <= 1
        (True, True)
    """
    seed = seed_number(seed, "sample_quality")
    least = max(
        2 * positive_integer(blocks, "sample_quality: blocks"),
        1 + positive_integer(neighbours, "sample_quality: neighbours"),
    )
    draw = tf.function(lambda count, y, noise: _draw(model, count, y, noise), reduce_retracing=True)
    go_through = functools.partial(through, model, batch_size=batch_size, verbose=verbose)
    known = np.concatenate([features(batch.x) for batch in go_through(reference, measure="sample quality, reference")])
    rows = []
    for batch in go_through(held_out, measure="sample quality"):
        noise = streams.fold(seed, streams.EVALUATE, batch.number)
        images = (*draw(tf.shape(batch.x)[0], batch.condition, noise), batch.x)
        rows.append([features(each) for each in images])
    samples, means, real = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    count = min(len(known), len(real))
    if count < least:
        raise ValueError(
            f"sample_quality: wanted {least} images or more in both sets, for {blocks} blocks and {neighbours} "
            f"neighbours; received {len(known)} and {len(real)}"
        )
    generator = np.random.default_rng(seed)
    of_reference, of_found = (generator.permutation(len(each))[:count] for each in (known, real))

    def closeness(found: np.ndarray) -> Closeness:
        some, others = known[of_reference], found[of_found]
        value, error = kernel_distance(some, others, blocks=blocks, seed=seed)
        precision, recall = precision_recall(some, others, neighbours)
        return Closeness(frechet_distance(known, found), value, error, precision, recall)

    return SampleQuality(
        samples=closeness(samples),
        means=closeness(means),
        held_out=closeness(real),
        num_reference=len(known),
        num_images=len(real),
        num_features=features.size,
        neighbours=int(neighbours),
        classifier_accuracy=features.accuracy,
    )


def _draw(model: VAE, count: tf.Tensor, y: tf.Tensor | None, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return x ~ p(x|z) and the means of p(x|z), z ~ p(z), each `[count, *event]`."""
    of_z, of_x = (tf.random.experimental.stateless_fold_in(noise, i) for i in range(2))
    prior = model.prior_distribution(condition=y)
    z = prior_draws.draw(prior, [], count, of_z)
    parameters = model.decode(z, y)
    mean = parameters.pop("mean")
    return model.observed_family.distribution(parameters).sample(seed=of_x), mean
