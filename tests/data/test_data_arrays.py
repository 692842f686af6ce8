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
        (np.zeros([0, 4, 4], np.uint8), r"at least one image.*\(0, 4, 4, 1\)"),
        (np.zeros([3, 0, 4], np.uint8), "expected at least one"),
        (np.zeros([3, 16], np.uint8), r"\(3, 16\).*reshape"),
        (np.zeros([1, 3, 4, 4, 1], np.uint8), r"\(1, 3, 4, 4, 1\)"),
        (IMAGES.reshape(1, 5, 6, 7), r"1 to 4 channels.*\(1, 5, 6, 7\).*last"),
        (IMAGES.astype(np.uint16), "expected dtype uint8.*received uint16"),
        (IMAGES.astype(np.int64), "expected dtype uint8.*received int64"),
        (IMAGES.astype(complex), "expected dtype uint8.*received complex128"),
        (IMAGES.astype(str), "expected dtype uint8.*received <U"),
        (IMAGES.astype(object), "expected dtype uint8.*received object"),
        (IMAGES % 2, r"uint8 with no value above 1.*bool"),
        ((IMAGES % 2).astype(np.int32), r"int32 with no value above 1.*bool"),
        (IMAGES * 1.0, r"expected floats in \[0, 1\], received float64 from 0 to 209.*uint8"),
        (IMAGES / 255 - 0.5, r"expected floats in \[0, 1\], received .* from -0.5 to"),
        (np.where(IMAGES == 7, np.nan, 0.5), "received NaN or infinity"),
        (np.where(IMAGES == 7, np.inf, 0.5), "received NaN or infinity"),
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
    with pytest.raises(ValueError, match=r"expected the name of a TFDS set.*received \[\[1\]\], a list"):
        data.read([[1]])
    with pytest.raises(ValueError, match=r"expected one of 'train'.*received 'tran'"):
        data.read(IMAGES, "tran")
    with pytest.raises(ValueError, match="split: expected a string, received None"):
        data.read(IMAGES, None)
    with pytest.raises(ValueError, match=r"image_size: expected None except for folders, received \(8, 8\)"):
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
        (lambda d: d.map(lambda x: x[0, 0]), r"expected single images.*shape \(\)"),
        (lambda d: d.map(lambda x: {"image": x}), "as_supervised=True"),
        (lambda d: d.map(lambda x: (x, 1, 2)), r"expected elements image or \(image, label\)"),
        (lambda d: d.repeat(), r"endless.*\.take\(n\)"),
        (lambda d: d.take(0), "expected at least one"),
        (lambda d: d.batch(5), r"expected 1 to 4 channels.*\(1, 5, 6, 7\).*batch axis"),
        (lambda d: d.map(lambda x: tf.cast(x, tf.int32)), "expected dtype uint8.*received int32"),
    ],
)
def test_own_datasets_refused(dataset, message):
    with pytest.raises(ValueError, match=f"The tf.data.Dataset.*{message}"):
        data.read(dataset(tf.data.Dataset.from_tensor_slices(IMAGES)))


def test_own_dataset_of_several_sizes():
    signature = tf.TensorSpec([None, None], tf.uint8)
    sizes = tf.data.Dataset.from_generator(lambda: [IMAGES[0], IMAGES[0, :3]], output_signature=signature)
    with pytest.raises(ValueError, match=r"images of one size.*tf\.image\.resize"):
        data.read(sizes)


def test_failure_inside_the_users_dataset_is_theirs():
    dataset = tf.data.Dataset.from_tensor_slices(IMAGES).map(lambda x: tf.ensure_shape(x[:, :3], [6, 3]))
    broken = dataset.map(lambda x: tf.debugging.check_numerics(tf.cast(x, tf.float32) / 0.0, "their check"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="their check"):
        data.read(broken)


def test_sets_too_large_for_memory(monkeypatch, mnist_dir):
    monkeypatch.setattr(examples, "MEMORY_LIMIT", 200)
    with pytest.raises(ValueError, match=r"The tf.data.Dataset: expected at most .* held in memory"):
        data.read(tf.data.Dataset.from_tensor_slices(IMAGES))
    with pytest.raises(ValueError, match=r"mnist_5k.*split='train\[:10%\]'"):
        data.read("mnist_5k", data_dir=mnist_dir)
