"""The dataset that `data.load` returns: ordinary batches for anyone, packed ones (bytes) for a model that asks.

A packed batch holds 8-bit pixels and the seed of its noise. It becomes x inside the compiled step, on the device, so
that a quarter of the memory traffic is needed and the noise is drawn where it is used.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_vae.data.examples import Column, Factor
from keras_vae.data.preprocess import binarize, dequantize, gray, uniform


class PackedBatch(NamedTuple):
    """A batch before preprocessing. Every part has the batch axis, so that it can be split between replicas.

    Attributes:
        pixels: `[batch, height, width, channels]`; uint8, bool or float32. Rows of a table, `[batch, width]`, floats.
        place: Each example's position in the stream of noise, `[batch]` int64.
        seed: The seed of that stream, repeated, `[batch, 2]` int32.
        labels: `(y,)`, y `[batch]` or `[batch, k]`, or an empty tuple.
    """

    pixels: tf.Tensor
    place: tf.Tensor
    seed: tf.Tensor
    labels: tuple[tf.Tensor, ...]

    def unpack(self) -> Any:
        """Return x, `[batch, height, width, channels]` float32, or (x, y), as the dataset yields them, up to rounding.

        XLA's generator turns the same seed into other numbers, so under XLA the noise differs, but not its
        distribution.
        """
        x = self.preprocessed()
        return (x, *self.labels) if self.labels else x

    def preprocessed(self) -> tf.Tensor:
        """Return x, `[batch, height, width, channels]` float32."""
        raise NotImplementedError

    def noise(self) -> tf.Tensor:
        """Return the uniform noise of each pixel, of the shape of `pixels`."""
        # A replica's part of a batch may be empty. It has no first row, and any numbers will do.
        seed = tf.concat([self.seed, [[0, 0]]], 0)[0]
        start = tf.concat([self.place, [0]], 0)[0]
        return uniform(seed, start, tf.shape(self.pixels)[0], self.pixels.shape[1:])


class DynamicBatch(PackedBatch):
    """A batch that is binarized with fresh noise."""

    def preprocessed(self) -> tf.Tensor:
        """Return zeros and ones."""
        return tf.cast(binarize(self.pixels, self.noise()), tf.float32)


class DequantizedBatch(PackedBatch):
    """A batch whose 8-bit pixels get uniform noise."""

    def preprocessed(self) -> tf.Tensor:
        """Return values in (0, 1)."""
        return dequantize(self.pixels, self.noise())


class GrayBatch(PackedBatch):
    """A batch without noise."""

    def preprocessed(self) -> tf.Tensor:
        """Return values in [0, 1]."""
        return gray(self.pixels)


class TableBatch(PackedBatch):
    """A batch of rows of a table."""

    def preprocessed(self) -> tf.Tensor:
        """Return them unchanged."""
        return self.pixels


_KINDS: dict[str, type[PackedBatch]] = {
    "dynamic": DynamicBatch,
    "dequantized": DequantizedBatch,
    "gray": GrayBatch,
    "none": TableBatch,
}


def pack(
    preprocess: str, pixels: tf.Tensor, start: tf.Tensor, seed: tf.Tensor, labels: tf.Tensor | None
) -> PackedBatch:
    """Return a packed batch.

    Args:
        preprocess: "dynamic", "dequantized", "gray" or "none".
        pixels: `[batch, height, width, channels]` or `[batch, width]`.
        start: The first example's position in the stream of noise.
        seed: The seed of that stream, `[2]` int32.
        labels: `[batch]` or `[batch, k]`, or None.
    """
    count = tf.shape(pixels)[0]
    return _KINDS[preprocess](
        pixels=pixels,
        place=tf.cast(start, tf.int64) + tf.range(count, dtype=tf.int64),
        seed=tf.repeat(seed[None], count, axis=0),
        labels=() if labels is None else (labels,),
    )


class PackedDataset(tf.data.Dataset):
    """A `tf.data.Dataset` of x or (x, y) that a `keras_vae.VAE` can also read as bytes, which trains faster.

    `keras_vae.data.load` and `epochs` make it. It is a `tf.data.Dataset` in every respect: iterate over it, or give it
    to any Keras model or `tf.distribute` strategy. `take`, `skip`, `shard`, `repeat`, `shuffle`, `prefetch` and
    `with_options` return a `PackedDataset`. Other methods, such as `map`, `batch` or `zip`, return an ordinary dataset,
    which a VAE trains on as well.

    Args:
        packed: A dataset of `PackedBatch`.
        batches: A dataset of the same batches unpacked: x, `[batch, height, width, channels]` float32, or (x, y).
        values: Every value that x may have, `[n]`, or None if unknown.
        labels: Every value that y may have, `[n]`, or None if there is no y.
        factors: What is known about each column of y, `[batch, k]`; empty if nothing is.
        columns: The columns of a table, whose rows are x, with their names, kinds, places and vocabularies; else empty.

    Attributes:
        packed: As above, and so are `values`, `labels`, `factors` and `columns`.

    Example:
        >>> import keras_vae as kv
        >>> pixels = np.full([6, 8, 8], 200, "uint8")
        >>> dataset = kv.data.load(pixels, batch_size=2, likelihood="normal").take(2)
        >>> [x.shape[0] for x in dataset], dataset.element_spec.dtype
        ([2, 2], tf.float32)
        >>> isinstance(dataset, kv.data.PackedDataset), dataset.packed.element_spec.pixels.dtype
        (True, tf.uint8)
    """

    def __init__(
        self,
        packed: tf.data.Dataset,
        batches: tf.data.Dataset,
        values: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        factors: tuple[Factor, ...] = (),
        columns: tuple[Column, ...] = (),
    ) -> None:
        self.packed = packed
        self.values = values
        self.labels = labels
        self.factors = factors
        self.columns = columns
        self._batches = batches
        super().__init__(batches._variant_tensor)

    def _inputs(self) -> list[tf.data.Dataset]:
        return [self._batches]

    @property
    def element_spec(self) -> Any:
        """The type of a batch of x or (x, y)."""
        return self._batches.element_spec

    def take(self, count: Any, name: str | None = None) -> "PackedDataset":
        """Return at most the first `count` batches."""
        return self._transformed(lambda dataset: dataset.take(count, name=name))

    def skip(self, count: Any, name: str | None = None) -> "PackedDataset":
        """Return all but the first `count` batches."""
        return self._transformed(lambda dataset: dataset.skip(count, name=name))

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> "PackedDataset":
        """Return every `num_shards`-th batch, starting from number `index`."""
        return self._transformed(lambda dataset: dataset.shard(num_shards, index, name=name))

    def repeat(self, count: Any = None, name: str | None = None) -> "PackedDataset":
        """Return `count` passes, or endless ones."""
        return self._transformed(lambda dataset: dataset.repeat(count, name=name))

    def shuffle(
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool = True, name: str | None = None
    ) -> "PackedDataset":
        """Return the batches in random order."""
        return self._transformed(
            lambda dataset: dataset.shuffle(buffer_size, seed, reshuffle_each_iteration, name=name)
        )

    def prefetch(self, buffer_size: Any, name: str | None = None) -> "PackedDataset":
        """Prepare batches ahead of their use."""
        return self._transformed(lambda dataset: dataset.prefetch(buffer_size, name=name))

    def with_options(self, options: tf.data.Options, name: str | None = None) -> "PackedDataset":
        """Set options for the pipeline."""
        return self._transformed(lambda dataset: dataset.with_options(options, name=name))

    def _transformed(self, transform: Callable[[tf.data.Dataset], tf.data.Dataset]) -> "PackedDataset":
        """Apply a transformation that leaves each batch as it is."""
        known = self.values, self.labels, self.factors, self.columns
        return PackedDataset(transform(self.packed), transform(self._batches), *known)


def possible_values(preprocess: str, images: np.ndarray) -> np.ndarray | None:
    """Return every value that x may have, or a few that stand for all; None if that depends on the images."""
    if preprocess == "none":
        return None
    if preprocess == "dynamic" or images.dtype == np.bool_:
        return np.array([0, 1], np.float32)
    if images.dtype != np.uint8:
        return None
    levels = np.arange(256, dtype=np.uint8)
    if preprocess == "gray":
        return gray(tf.constant(levels)).numpy()
    return dequantize(
        tf.constant(levels[:, None]), tf.constant(np.array([[0.0, 0.3, 0.7, 1 - 2**-24]], np.float32))
    ).numpy()
