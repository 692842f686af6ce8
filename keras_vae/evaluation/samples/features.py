"""Features of images: the last hidden layer of a small classifier trained on the same kind of images."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.utils.arguments import positive_integer, seed_number
from keras_vae.utils.compiled import compiled
from keras_vae.utils.seeds import generator

_ROWS = 1000
_SIZE = 64


class ClassifierFeatures:
    """The last hidden layer of a trained classifier; `learn_features` makes it.

    Make one per data set, and pass it to every `sample_quality` on it: distances in the features of different
    classifiers cannot be compared.

    Args:
        network: From images, `[batch, height, width, channels]`, to features, `[batch, size]`.
        accuracy: Accuracy of the classifier on test images.
        num_test: Number of test images.
    """

    def __init__(self, network: keras.Model, accuracy: float, num_test: int) -> None:
        self.accuracy = accuracy
        self.num_test = num_test
        self.image_shape = tuple(network.input_shape[1:])
        self.size = int(network.output_shape[-1])
        self._compiled = compiled(lambda images: network(images, training=False))

    def __call__(self, images: Any) -> np.ndarray:
        """Return the features of images `[n, *image_shape]`, `[n, size]`, float64.

        Raises:
            ValueError: If the images have another shape.
        """
        images = np.asarray(images, np.float32)
        if images.shape[1:] != self.image_shape:
            raise ValueError(
                f"features: the images have the wrong shape: expected {self.image_shape}, that of the classifier's "
                f"training images, received {images.shape[1:]}"
            )
        parts = [self._compiled(tf.constant(images[i : i + _ROWS])).numpy() for i in range(0, len(images), _ROWS)]
        return np.concatenate(parts).astype(np.float64)


def learn_features(
    train: Any, *, test: Any, epochs: int = 5, batch_size: int = 128, seed: int = 0, verbose: bool = True
) -> ClassifierFeatures:
    """Train a small convolutional classifier, and keep its last hidden layer.

    Two strided convolutions (32 and 64 filters), a layer of 64 units, whose values are the features, and a layer of
    logits; ReLU and Adam. It takes the place of the Inception network in published distances between images, without a
    download, and also for small or gray images; its figures are not comparable with those.

    Train it on images as `sample_quality` will see them: on binarized images if the data are binarized, and not on the
    images that are held out there.

    Args:
        train: Arrays (images, labels), `[n, height, width, channels]` and integers `[n]`, or a batched
            `tf.data.Dataset` of both, which is read once.
        test: Images for the accuracy, in the same form.
        epochs: Passes over `train`.
        batch_size: Images per step.
        seed: Seed of the weights and of the order of the images; it repeats the training on the same machine.
        verbose: Whether to show a progress bar.

    Returns:
        The function from images to features, with the accuracy.

    Raises:
        ValueError: If there are no labels, fewer than two classes or no images, or a number is invalid.

    Example:
        >>> images = np.zeros([64, 8, 8, 1], "float32")
        >>> labels = np.arange(64) % 2
        >>> images[labels == 1, :, 4] = 1
        >>> features = learn_features((images, labels), test=(images, labels), epochs=3, verbose=False)
        >>> features(images).shape, features.accuracy
        ((64, 64), 1.0)
    """
    epochs = positive_integer(epochs, "learn_features: epochs")
    batch_size = positive_integer(batch_size, "learn_features: batch_size")
    seed = seed_number(seed, "learn_features")
    images, labels = _arrays(train, "train")
    test_images, test_labels = _arrays(test, "test")
    classes, place = np.unique(labels, return_inverse=True)
    if len(classes) < 2 or test_images.shape[1:] != images.shape[1:]:
        raise ValueError(
            "learn_features: the data do not fit: expected two or more classes and test images of the same shape, "
            f"received classes {classes.tolist()} and images of shapes {images.shape[1:]} and {test_images.shape[1:]}"
        )
    classifier, features = _networks(images, len(classes), seed)
    classifier.compile(
        keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    rng = generator(seed, "learn_features")
    for _ in tqdm(range(epochs), desc="classifier", unit="epoch", disable=not verbose):
        order = rng.permutation(len(images))
        classifier.fit(images[order], place[order], batch_size=batch_size, shuffle=False, verbose=0)
    logits = classifier.predict(test_images, batch_size=_ROWS, verbose=0)
    accuracy = float(np.mean(classes[logits.argmax(axis=1)] == test_labels))
    return ClassifierFeatures(features, accuracy, len(test_images))


def _networks(images: np.ndarray, classes: int, seed: int) -> tuple[keras.Model, keras.Model]:
    """Return the classifier, and its part up to the features; in float32 under any policy."""
    scale = float(images.std(dtype=np.float64)) or 1.0
    layers = [
        keras.layers.Rescaling(1 / scale, -float(images.mean(dtype=np.float64)) / scale, dtype="float32"),
        keras.layers.Conv2D(
            32, 3, strides=2, padding="same", activation="relu", kernel_initializer=_initial(seed, 0), dtype="float32"
        ),
        keras.layers.Conv2D(
            64, 3, strides=2, padding="same", activation="relu", kernel_initializer=_initial(seed, 1), dtype="float32"
        ),
        keras.layers.Flatten(dtype="float32"),
        keras.layers.Dense(_SIZE, activation="relu", kernel_initializer=_initial(seed, 2), dtype="float32"),
    ]
    inputs = values = keras.Input(images.shape[1:])
    for layer in layers:
        values = layer(values)
    logits = keras.layers.Dense(classes, kernel_initializer=_initial(seed, 3), dtype="float32")(values)
    return keras.Model(inputs, logits), keras.Model(inputs, values)


def _initial(seed: int, layer: int) -> keras.Initializer:
    return keras.initializers.GlorotUniform(seed=int(np.random.SeedSequence([seed, layer]).generate_state(1)[0] >> 1))


def _arrays(data: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images, float32, and labels."""
    if isinstance(data, tf.data.Dataset):
        batches = [batch for batch in data.as_numpy_iterator() if isinstance(batch, tuple)]
        data = tuple(np.concatenate([batch[i] for batch in batches]) for i in range(2)) if batches else ()
    parts = [np.asarray(part) for part in data] if isinstance(data, tuple | list) else []
    shapes = [part.shape for part in parts]
    if len(parts) != 2 or len(shapes[0]) != 4 or shapes[1] != shapes[0][:1] or parts[1].dtype.kind not in "iub":
        raise ValueError(
            f"learn_features: {name} has the wrong form: expected images [n, height, width, channels] with integer "
            f"labels [n], or a dataset of batches of them, received {shapes or type(data).__name__}"
        )
    return parts[0].astype(np.float32), parts[1].astype(np.int64)
