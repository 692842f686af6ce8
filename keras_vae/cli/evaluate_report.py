"""What `keras-vae evaluate --report` measures and shows, besides the bound and the log-likelihood."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from keras_vae import evaluation
from keras_vae.data.examples import Examples
from keras_vae.evaluation.report import Section, section
from keras_vae.evaluation.result import Result
from keras_vae.families import Normal
from keras_vae.plots.drawing import one_canvas, pairs, tile
from keras_vae.utils.seeds import generator
from keras_vae.vae import VAE

# Number of examples for expensive measures, so that a report of mnist_5k takes minutes.
_FEW, _SOME, _MANY = 50, 200, 1000
# Number of posteriors in the aggregate posterior; each density of a flow takes a pass.
_REFERENCES = 2000
_SIMULATIONS = 500
_SHOWN = 40


@dataclass(frozen=True, eq=False)
class Material:
    """What a report is made from.

    Attributes:
        model: The model.
        train: Training examples, or the reason why there are none.
        test: Test examples.
        load: Function of examples, and of whether to include labels, that returns batches.
        seed: Seed of all noise.
    """

    model: VAE
    train: Examples | str
    test: Examples
    load: Callable[[Examples, bool], tf.data.Dataset]
    seed: int

    def batches(self, count: int | None = None, labels: bool = False) -> tf.data.Dataset:
        """Return batches of `count` test examples, with labels if requested or if the model is conditional."""
        return self.load(some(self.test, count, self.seed), labels or self.model.condition is not None)

    def training(self, labels: bool = False) -> tf.data.Dataset:
        """Return batches of the training examples.

        Raises:
            ValueError: If there are none.
        """
        if isinstance(self.train, str):
            raise ValueError(f"it needs separate training examples: {self.train}")
        return self.load(self.train, labels or self.model.condition is not None)


def some(examples: Examples, count: int | None, seed: int) -> Examples:
    """Return `count` random examples; the first ones of a folder are all of one class."""
    if count is None or count >= len(examples):
        return examples
    chosen = np.sort(generator(seed, "some examples").choice(len(examples), count, replace=False))
    labels = None if examples.labels is None else examples.labels[chosen]
    return replace(examples, images=examples.images[chosen], labels=labels)


def sections(material: Material) -> Iterator[Section]:
    """Yield each section when it is measured. A measure that does not fit the model or data says why."""
    model, seed = material.model, material.seed
    yield from _pictures(material)
    measures: list[tuple[str, str, Callable[[], Result]]] = [
        (
            "Rate and distortion",
            "Information about x in the latents, in nats, and what is lost.",
            lambda: evaluation.rate_distortion(model, material.batches(), num_references=_REFERENCES, seed=seed),
        ),
        (
            "Annealed importance sampling",
            f"Another estimate of log p(x), on {_FEW} examples, which does not depend on the encoder.",
            lambda: evaluation.annealed_importance_sampling(
                model, material.batches(_FEW), num_steps=200, num_chains=10, seed=seed
            ),
        ),
        (
            "Inference gaps",
            f"Why the bound is below log p(x), on {_FEW} examples.",
            lambda: evaluation.inference_gaps(
                model,
                material.batches(_FEW),
                num_samples=1000,
                # One family over all groups of latents; that of the encoder if there is only one group.
                family=Normal(model.latents.size) if model.latents.several else None,
                seed=seed,
            ),
        ),
        (
            "Representation",
            "What a simple classifier predicts from the posterior means.",
            lambda: evaluation.representation(model, material.training(True), test=material.batches(labels=True)),
        ),
        (
            "Samples",
            "Distance of samples from training images, next to that of held-out images, the goal for samples.",
            lambda: _sample_quality(material),
        ),
        (
            "Posterior predictive checks",
            f"Whether data replicated by the model looks like the data, on {_MANY} examples.",
            lambda: evaluation.predictive_checks(model, material.batches(_MANY), seed=seed),
        ),
        (
            "Simulation-based calibration",
            "Whether the posterior is right where the truth is known: on data drawn from the model.",
            lambda: evaluation.simulation_calibration(
                model, num_simulations=_SIMULATIONS, condition=_conditions(material), seed=seed
            ),
        ),
        (
            "Missing data",
            f"Half of the pixels of {_SOME} examples are hidden at random, then imputed.",
            lambda: evaluation.imputation(
                model, material.batches(_SOME), hidden="pixels", baseline=_training_mean(material), seed=seed
            ),
        ),
        (
            "Disentanglement",
            "Whether each latent encodes one factor of variation.",
            lambda: _disentanglement(material),
        ),
    ]
    for title, text, measure in measures:
        print(f"\n{title}")
        try:
            found = measure()
            print(found)
            shown = section(found, text)
        # A measure that fails, for example for lack of memory, does not stop the others.
        except (ValueError, NotImplementedError, MemoryError, tf.errors.OpError) as refusal:
            reason = str(refusal) or type(refusal).__name__
            print(f"  not measured: {reason}")
            shown = Section(title, text, missing=reason)
        yield shown


def _pictures(material: Material) -> Iterator[Section]:
    if len(material.model.event_shape) != 3 or material.model.event_shape[-1] not in (1, 3):
        yield Section("Pictures", missing=f"x of shape {material.model.event_shape} is not an image")
        return
    batch = next(iter(material.batches(_SHOWN)))
    x, y = batch if isinstance(batch, tuple) else (batch, None)
    condition = None if material.model.condition is None else y
    samples = material.model.sample(len(x), seed=material.seed, condition=condition)
    yield Section("Samples from the model", pictures=[one_canvas(tile(_shown(samples)), "means of p(x|z), z ~ p(z)")])
    reconstructions = material.model.reconstruct(x, condition=condition)
    canvas = tile(pairs(_shown(x), _shown(reconstructions)), columns=10)
    yield Section("Reconstructions", pictures=[one_canvas(canvas, "x, and to its right its mean reconstruction")])


def _shown(images: tf.Tensor) -> np.ndarray:
    return np.clip(np.asarray(images, np.float32), 0.0, 1.0)


def _sample_quality(material: Material) -> Result:
    training, held_out = material.training(True), material.batches(labels=True)
    features = evaluation.learn_features(training, test=held_out, seed=material.seed)
    return evaluation.sample_quality(material.model, training, held_out=held_out, features=features, seed=material.seed)


def _training_mean(material: Material) -> np.ndarray | None:
    """Return the mean of the preprocessed training examples, or None if there are none."""
    if isinstance(material.train, str):
        return None
    parts = some(material.train, 10 * _MANY, material.seed)
    batches = (batch[0] if isinstance(batch, tuple) else batch for batch in material.load(parts, False))
    return np.concatenate([batch.numpy() for batch in batches]).mean(axis=0, dtype=np.float64)


def _conditions(material: Material) -> np.ndarray | None:
    if material.model.condition is None or material.test.labels is None:
        return None
    labels = material.test.labels
    return labels[generator(material.seed, "labels to simulate").choice(len(labels), _SIMULATIONS)]


def _disentanglement(material: Material) -> Result:
    labels = material.test.labels
    if labels is None or labels.ndim != 2:
        raise ValueError("it needs data with known factors, such as 'shapes'")
    return evaluation.disentanglement(material.model, material.batches(labels=True), seed=material.seed)
