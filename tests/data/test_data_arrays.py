"""Arrays, and the user's own datasets: what is taken and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import data
from keras_vae.data import examples
from keras_vae.data.array_source import from_array

IMAGES = np.arange(5 * 6 * 7, dtype=np.uint8).reshape(5, 6, 7)


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float16, np.float32, np.float64])
def test_arrays_of_each_kind(dtype):
    images = (IMAGES / 255 if np.issubdtype(dtype, np.floating) else IMAGES).astype(dtype)
    read = data.read(images)
    assert len(read) == 5
    assert read.image_shape == (6, 7, 1)
    assert read.labels is None
    assert read.images.dtype == (np.float32 if np.issubdtype(dtype, np.floating) else dtype)
    np.testing.assert_array_equal(read.images[..., 0], images.astype(read.images.dtype))


def test_color_and_examples_pass_through():
    color = np.stack([IMAGES] * 3, axis=-1)
    read = data.read(color)
    assert read.image_shape == (6, 7, 3)
    assert data.read(read) is read


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros([0, 4, 4], np.uint8), r"empty.*\(0, 4, 4, 1\)"),
        (np.zeros([3, 0, 4], np.uint8), "empty"),
        (np.zeros([3, 16], np.uint8), r"\(3, 16\).*reshape"),
        (np.zeros([1, 3, 4, 4, 1], np.uint8), r"\(1, 3, 4, 4, 1\)"),
        (IMAGES.reshape(1, 5, 6, 7), "7 channels.*last"),
        (IMAGES.astype(np.uint16), "uint16; wanted uint8"),
        (IMAGES.astype(np.int64), "int64; wanted uint8"),
        (IMAGES.astype(complex), "complex128; wanted uint8"),
        (IMAGES.astype(str), "<U.*; wanted uint8"),
        (IMAGES.astype(object), "object; wanted uint8"),
        (IMAGES % 2, r"uint8 with no value above 1.*bool"),
        ((IMAGES % 2).astype(np.int32), r"int32 with no value above 1.*bool"),
        (IMAGES * 1.0, r"float64 with values from 0 to 209; wanted floats in \[0, 1\].*uint8"),
        (IMAGES / 255 - 0.5, r"from -0.5 to .*wanted floats in \[0, 1\]"),
        (np.where(IMAGES == 7, np.nan, 0.5), "NaN or infinite"),
        (np.where(IMAGES == 7, np.inf, 0.5), "NaN or infinite"),
    ],
)
def test_arrays_refused(images, message):
    with pytest.raises(ValueError, match=f"The array.*{message}"):
        data.read(images)


@pytest.mark.parametrize("labels", [np.arange(4), np.arange(5.0), np.eye(5, dtype=int), np.array([0, 1, 2, 3, 2**31])])
def test_labels_refused(labels):
    with pytest.raises(ValueError, match="labels of the images"):
        from_array(IMAGES, labels, "the images")


def test_labels_of_one_column():
    labels = from_array(IMAGES, np.arange(5)[:, None]).labels
    assert labels.dtype == np.int32
    assert labels.tolist() == [0, 1, 2, 3, 4]


def test_other_arguments_refused():
    with pytest.raises(ValueError, match=r"\[\[1\]\], a list; wanted the name of a TFDS set"):
        data.read([[1]])
    with pytest.raises(ValueError, match="'tran'; wanted one of 'train'"):
        data.read(IMAGES, "tran")
    with pytest.raises(ValueError, match="split=None"):
        data.read(IMAGES, None)
    with pytest.raises(ValueError, match=r"image_size=\(8, 8\) is for folders"):
        data.read(IMAGES, image_size=(8, 8))


def test_own_dataset():
    alone = data.read(tf.data.Dataset.from_tensor_slices(IMAGES))
    np.testing.assert_array_equal(alone.images[..., 0], IMAGES)
    assert alone.labels is None
    assert data.read(tf.data.Dataset.from_tensor_slices((IMAGES,))).labels is None
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, np.arange(5)))
    of_unknown_length = data.read(pairs.filter(lambda x, y: y != 2))
    assert of_unknown_length.labels.tolist() == [0, 1, 3, 4]
    np.testing.assert_array_equal(of_unknown_length.images[2, ..., 0], IMAGES[3])


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda d: d.batch(2).batch(2), r"\(None, None, 6, 7\).*unbatch"),
        (lambda d: d.map(lambda x: x[0, 0]), r"shape \(\); wanted single images"),
        (lambda d: d.map(lambda x: {"image": x}), "as_supervised=True"),
        (lambda d: d.map(lambda x: (x, 1, 2)), "wanted an image or a pair"),
        (lambda d: d.repeat(), r"endless.*\.take\(n\)"),
        (lambda d: d.take(0), "empty"),
        (lambda d: d.batch(5), "7 channels.*unbatch"),
        (lambda d: d.map(lambda x: tf.cast(x, tf.int32)), "int32; wanted uint8"),
    ],
)
def test_own_datasets_refused(dataset, message):
    with pytest.raises(ValueError, match=f"The tf.data.Dataset.*{message}"):
        data.read(dataset(tf.data.Dataset.from_tensor_slices(IMAGES)))


def test_own_dataset_of_several_sizes():
    signature = tf.TensorSpec([None, None], tf.uint8)
    sizes = tf.data.Dataset.from_generator(lambda: [IMAGES[0], IMAGES[0, :3]], output_signature=signature)
    with pytest.raises(ValueError, match=r"different sizes.*tf\.image\.resize"):
        data.read(sizes)


def test_failure_inside_the_users_dataset_is_theirs():
    dataset = tf.data.Dataset.from_tensor_slices(IMAGES).map(lambda x: tf.ensure_shape(x[:, :3], [6, 3]))
    broken = dataset.map(lambda x: tf.debugging.check_numerics(tf.cast(x, tf.float32) / 0.0, "their check"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="their check"):
        data.read(broken)


def test_sets_too_large_for_memory(monkeypatch, mnist_dir):
    monkeypatch.setattr(examples, "MEMORY_LIMIT", 200)
    with pytest.raises(ValueError, match=r"The tf.data.Dataset needs at least.*held in memory"):
        data.read(tf.data.Dataset.from_tensor_slices(IMAGES))
    with pytest.raises(ValueError, match=r"mnist_5k.*split='train\[:10%\]'"):
        data.read("mnist_5k", data_dir=mnist_dir)
