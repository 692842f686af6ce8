"""The input pipeline: order, batches and noise as functions of (seed, epoch)."""

import hashlib
import itertools
import os
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_vae.data.examples import Column, Examples
from keras_vae.data.packed_dataset import PackedBatch, PackedDataset, pack, possible_values
from keras_vae.data.preprocess import binarize, choose, uniform
from keras_vae.data.read import Source, read
from keras_vae.families.registry import Likelihood
from keras_vae.utils import seeds
from keras_vae.utils.arguments import one_line, seed_number

# A stream of random numbers, distinct from those in `keras_vae.utils.seeds`.
_ORDER = 101
# The uses of a seed for noise: new in each epoch, or the same in all.
_FRESH, _FIXED = "data, fresh", "data, fixed"
_BINARIZE_AT_ONCE = 1024
# Batches prepared while another is trained on.
_AHEAD = 2


def load(
    source: Source,
    split: str = "train",
    *,
    batch_size: int = 100,
    likelihood: Likelihood | None = None,
    preprocess: str | None = None,
    shuffle: bool | None = None,
    seed: int = 0,
    with_labels: bool = False,
    image_size: tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    columns: Sequence[Column] | None = None,
) -> PackedDataset:
    """Make a dataset of batches with values in a likelihood's support.

    The k-th pass over it (from 0) is epoch k of `epochs`. A training set has a new order and new noise in each pass. An
    evaluation set has the same order and noise in all passes and at any batch size, so that `evaluate` is repeatable.
    The set is held in memory as bytes. The last batch may be smaller.

    Under a `tf.distribute` strategy `fit` reads one batch before it begins, which counts as a pass. Use `epochs` for
    runs that must agree to the last digit or be resumed.

    Args:
        source: As in `read`: a TFDS name such as "mnist_5k", a folder of images, an `.npz` file, a NumPy
            array, an unbatched `tf.data.Dataset`, a `.csv` file, a pandas DataFrame, or `Examples`.
        split: As in `read`.
        batch_size: Examples per batch.
        likelihood: "bernoulli", "continuous_bernoulli", "normal", "beta", "gray_levels" or
            "discretized_logistic_mixture"; or a family of your own, as a class, an object or "package.module:Name". By
            default "bernoulli" for images. The values of a table are not changed, but checked if it is given.
        preprocess: "dynamic": binarize, x ~ Bernoulli(pixel / 255). "static": the same, but with one draw per example,
            for all passes, orders and batch sizes. "gray": pixel / 255. "dequantized": (pixel + u) / 256,
            u ~ Uniform(0, 1) (Theis et al., 2016, section 3.1). A likelihood allows those in its `preprocessing`, and
            None means the first of these: "dynamic" for "bernoulli", "gray" for "gray_levels" and
            "discretized_logistic_mixture", "dequantized" for the others. Float and bool images are already gray
            values, and cannot be dequantized. Two splits share no noise, nor do two sets of images. Must be None for a
            table.
        shuffle: True for a training set, False for an evaluation set. None means True if the split is "train" or a part
            of it.
        seed: From 0 to 2**31 - 1. Equal seeds give equal batches.
        with_labels: Whether to yield pairs (x, label) instead of x alone.
        image_size: As in `read`.
        data_dir: As in `read`.
        columns: As in `read`.

    Returns:
        A dataset of known length of x, `[batch, height, width, channels]` float32, or of (x, label), label `[batch]`
        int32, or `[batch, k]` if k factors of each image are known, as in "shapes". Of a table, x is `[batch, width]`,
        and `columns` of the dataset says which places of x belong to which column, with the vocabularies.

    Raises:
        FileNotFoundError: As `read`.
        ValueError: As `read`; or if an argument is out of range, the likelihood does not allow the preprocessing, or
            `with_labels` is true and the source has no labels.

    Example:
        >>> import numpy as np
        >>> pixels = np.arange(320, dtype="uint8").reshape(5, 8, 8)
        >>> [x.shape[0] for x in load(pixels, batch_size=2, likelihood="normal")]
        [2, 2, 1]
    """
    examples = read(source, split, image_size=image_size, data_dir=data_dir, columns=columns)
    passes = itertools.count()
    # Each iterator calls the generator again, so each iteration draws the next number.
    number = tf.data.Dataset.from_generator(lambda: [next(passes)], output_signature=tf.TensorSpec([], tf.int64))
    steps = -(-len(examples) // _integer("batch_size", batch_size, 1))
    return _batches(number, steps, examples, split, batch_size, likelihood, preprocess, shuffle, seed, with_labels)


def epochs(
    source: Source,
    split: str = "train",
    *,
    batch_size: int = 100,
    likelihood: Likelihood | None = None,
    preprocess: str | None = None,
    shuffle: bool | None = None,
    seed: int = 0,
    with_labels: bool = False,
    image_size: tuple[int, int] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    columns: Sequence[Column] | None = None,
    start_epoch: int = 0,
) -> tuple[PackedDataset, int]:
    """Make one endless dataset of epoch after epoch, for training that can be resumed.

    The batches of epoch e depend only on the seed and e: a run that was killed and is resumed with `start_epoch=e`
    sees exactly the same batches.

    Args:
        source: As in `load`.
        split: As in `load`.
        batch_size: As in `load`.
        likelihood: As in `load`.
        preprocess: As in `load`.
        shuffle: As in `load`.
        seed: As in `load`.
        with_labels: As in `load`.
        image_size: As in `load`.
        data_dir: As in `load`.
        columns: As in `load`.
        start_epoch: The number of the first epoch, from 0.

    Returns:
        The dataset, and the number of batches in an epoch: the `steps_per_epoch` of `fit`.

    Raises:
        FileNotFoundError: As `load`.
        ValueError: As `load`, or if `start_epoch` is negative.

    Example:
        >>> import numpy as np
        >>> dataset, steps = epochs(np.eye(28, dtype=bool)[None].repeat(250, axis=0), batch_size=100)
        >>> steps
        3
    """
    start_epoch = _integer("start_epoch", start_epoch, 0)
    examples = read(source, split, image_size=image_size, data_dir=data_dir, columns=columns)
    number = tf.data.Dataset.counter(start=start_epoch)
    steps = -(-len(examples) // _integer("batch_size", batch_size, 1))
    endless = tf.data.INFINITE_CARDINALITY
    return _batches(
        number, endless, examples, split, batch_size, likelihood, preprocess, shuffle, seed, with_labels
    ), steps


def _batches(
    epoch_numbers: tf.data.Dataset,
    cardinality: int,
    examples: Examples,
    split: str,
    batch_size: int,
    likelihood: Likelihood | None,
    preprocess: str | None,
    shuffle: bool | None,
    seed: int,
    with_labels: bool,
) -> PackedDataset:
    """Return the batches of all numbered epochs."""
    batch_size = _integer("batch_size", batch_size, 1)
    seed = seed_number(seed, "data.load")
    preprocess = choose(examples, likelihood, preprocess)
    if with_labels and examples.columns:
        raise ValueError(
            f"with_labels=True: expected images with labels, received the table {examples.name}. Pass x and y to fit "
            "as arrays: x=data.read(frame).images."
        )
    if with_labels and examples.labels is None:
        raise ValueError(
            f"with_labels=True: expected a source with labels, received {examples.name} without them. Pass (image, "
            "label) pairs in a tf.data.Dataset, 'y_train' in an .npz file, or a subfolder for each class."
        )
    if shuffle is None:
        shuffle = split.split("[")[0] == "train"

    images = examples.images
    digest = np.int64(0) if preprocess == "gray" else _digest(images, split)
    if preprocess == "static":
        images, preprocess = _binarize_once(images, seed, digest), "gray"
    # On the CPU, even if there is a GPU, because tf.data runs there. The function below captures the array by
    # reference: it is neither copied nor written into the graph.
    with tf.device("CPU:0"):
        pixels = tf.constant(images)
        labels = tf.constant(examples.labels) if with_labels else None

    def make(indices: tf.Tensor, start: tf.Tensor, noise_seed: tf.Tensor) -> PackedBatch:
        y = None if labels is None else tf.gather(labels, indices)
        return pack(preprocess, tf.gather(pixels, indices), start, noise_seed, y)

    batches = epoch_numbers.flat_map(_epoch(len(images), batch_size, shuffle, seed, digest))
    batches = batches.map(make)
    options = tf.data.Options()
    # Its thread can delay the end of an iterator by seconds, and there is nothing to tune.
    options.autotune.enabled = False
    # Rewriting the graph copies the captured array, and there is nothing in this pipeline to rewrite.
    options.experimental_optimization.apply_default_optimizations = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    packed = batches.with_options(options)
    count = tf.data.experimental.assert_cardinality(cardinality)
    unpacked = packed.map(lambda batch: batch.unpack(), num_parallel_calls=os.cpu_count())
    return PackedDataset(
        packed.prefetch(_AHEAD).apply(count),
        unpacked.prefetch(_AHEAD).apply(count),
        possible_values(preprocess, images),
        None if labels is None else np.unique(labels),
        examples.factors if with_labels else (),
        examples.columns,
    )


def _digest(images: np.ndarray, split: str) -> np.int64:
    """Return a number that differs between splits and between sets of images, so that no two share their noise."""
    found = hashlib.blake2b(
        np.ascontiguousarray(images).data, digest_size=8, salt=zlib.crc32(split.encode()).to_bytes(4)
    )
    return np.frombuffer(found.digest(), "<i8")[0]


def _epoch(
    count: int, batch_size: int, shuffle: bool, seed: int, digest: np.int64
) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """Return the function from an epoch's number to its batches: (indices, first position, noise seed)."""

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(count, dtype=tf.int64)
        noise_seed = seeds.derive(seed, _FIXED, digest)
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(order, seed=seeds.fold(seed, _ORDER, number))
            noise_seed = seeds.derive(seed, _FRESH, digest, number)
        starts = tf.data.Dataset.range(0, count, batch_size)
        return starts.map(lambda start: (order[start : start + batch_size], start, noise_seed))

    return epoch


def _binarize_once(images: np.ndarray, seed: int, digest: np.int64) -> np.ndarray:
    """Binarize each example with the noise of its own position in the set."""
    binary = np.empty(images.shape, np.bool_)
    stream = seeds.derive(seed, _FIXED, digest)
    with tf.device("CPU:0"):
        for start in range(0, len(images), _BINARIZE_AT_ONCE):
            part = images[start : start + _BINARIZE_AT_ONCE]
            u = uniform(stream, start, len(part), part.shape[1:])
            binary[start : start + len(part)] = binarize(tf.constant(part), u)
    return binary


def _integer(name: str, value: object, smallest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not smallest <= value < 2**31:
        expected = f"an integer from {smallest} to 2**31 - 1"
        raise ValueError(
            f"{name}: expected {expected}, received {one_line(value)}. Use {max(smallest, 1)}, for example."
        )
    return int(value)
