"""The `shapes` set: all combinations of its factors, each with its own image, and labels of five columns."""

import socket

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from scipy import stats

import keras_vae as kv
from keras_vae import data
from keras_vae.data import shapes
from keras_vae.data.examples import Factor
from keras_vae.training import Run, RunConfig
from tests.data.conftest import refuse

SIZES = [3, 4, 6, 12, 12]


@pytest.fixture(scope="module")
def whole():
    return shapes.grid()


@pytest.fixture(scope="module")
def part(whole):
    """Every 29th image: each value of each factor is among them."""
    return whole[0][::29], whole[1][::29]


@pytest.fixture(scope="module")
def shapes_dir(tmp_path_factory, part):
    """A TFDS folder in which a part of the set was prepared by `load`, with the network cut."""
    folder = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(shapes, "grid", lambda: part)
        data.load("shapes", data_dir=folder)
    return folder


def by_number(factors, images):
    """Return images in the order of their factors."""
    return images[np.argsort(np.ravel_multi_index(factors.T, SIZES))]


def test_all_combinations(whole):
    factors, images = whole
    assert images.shape == (10368, 32, 32, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(np.ravel_multi_index(factors.T, SIZES), np.arange(10368))


def test_what_is_read_is_what_was_drawn(shapes_dir, part):
    found = data.read("shapes", "all", data_dir=shapes_dir)
    np.testing.assert_array_equal(by_number(found.labels, found.images), by_number(*part))
    assert found.labels.dtype == np.int32
    assert found.factors == (
        Factor("shape", 3, ordered=False),
        Factor("scale", 4, ordered=True),
        Factor("rotation", 6, ordered=True),
        Factor("x", 12, ordered=True),
        Factor("y", 12, ordered=True),
    )


def test_no_two_images_are_equal_and_none_is_cut_off(whole):
    factors, images = whole
    assert len({image.tobytes() for image in images}) == 10368
    rim = np.ones([32, 32, 1], bool)
    rim[1:-1, 1:-1] = False
    # The largest reach to 16 − 8.25 − 7.5 = 0.25 pixels from the image's end: only the outermost pixels may be faint.
    assert images[:, rim].max() < 255
    area = images.sum(axis=(1, 2, 3)) / 255
    for shape in range(3):
        for scale in range(4):
            mine = area[(factors[:, 0] == shape) & (factors[:, 1] == scale)]
            assert np.ptp(mine) < 0.03 * mine.mean()


def test_labels_say_what_is_drawn(whole):
    factors, images = whole
    share = images[..., 0] / 255
    area = share.sum(axis=(1, 2))
    places = np.arange(32) + 0.5
    columns, rows = share.sum(axis=1) @ places / area, share.sum(axis=2) @ places / area
    shape, scale, rotation, x, y = factors.T
    even = shape < 2  # a heart's center of mass is not its center
    np.testing.assert_allclose(columns[even], 7.75 + 1.5 * x[even], atol=0.05)
    np.testing.assert_allclose(rows[even], 7.75 + 1.5 * y[even], atol=0.05)
    np.testing.assert_allclose(area[shape == 0], 2 * (4.5 + scale[shape == 0]) ** 2, rtol=0.02)
    # The principal axis of an ellipse, from the horizontal, counterclockwise; rows count downwards.
    ellipses = np.flatnonzero((shape == 1) & (scale == 3) & (x == 5) & (y == 6))
    assert len(ellipses) == 6
    for i in ellipses:
        right, up = np.meshgrid(places - columns[i], rows[i] - places)
        angle = 0.5 * np.arctan2(2 * (share[i] * right * up).sum(), (share[i] * (right**2 - up**2)).sum())
        assert (np.degrees(angle) - 15 * rotation[i] + 90) % 180 == pytest.approx(90, abs=1)


def test_the_noise_of_binarized_edges_is_as_described(whole):
    white = whole[1].reshape(10368, -1) / 255
    entropy = stats.entropy(np.stack([white, 1 - white]), axis=0).sum(axis=1)
    assert f"{entropy.mean():.1f} nats" == "15.9 nats"
    assert "15.9 nats" in shapes._DESCRIPTION


@pytest.mark.stress
def test_the_whole_set(tmp_path, whole):
    train, test, everything = (data.read("shapes", split, data_dir=tmp_path) for split in ("train", "test", "all"))
    assert (len(train), len(test), len(everything)) == (9331, 1037, 10368)
    numbers = [set(np.ravel_multi_index(half.labels.T, SIZES)) for half in (train, test)]
    assert not numbers[0] & numbers[1]
    # A random tenth has each of 12 places about 86 times; the standard deviation is below 9.3.
    for column, size in enumerate(SIZES):
        counts = np.bincount(test.labels[:, column], minlength=size)
        assert np.all(np.abs(counts - 1037 / size) < 5 * np.sqrt(1037 / size))
    np.testing.assert_array_equal(by_number(everything.labels, everything.images), whole[1])


def test_tfds_load(shapes_dir):
    dataset, info = tfds.load("shapes", split="test", with_info=True, data_dir=shapes_dir)
    example = next(iter(dataset))
    assert info.splits["test"].num_examples == 36  # a tenth of the part
    assert info.splits["train"].num_examples == 322
    assert set(example) == {"image", "label_shape", "label_scale", "label_rotation", "label_x", "label_y"}
    assert info.features["label_shape"].names == ["square", "ellipse", "heart"]


def test_load_gives_batches_of_images_and_factors(shapes_dir):
    dataset = data.load("shapes", "all", with_labels=True, batch_size=100, preprocess="static", data_dir=shapes_dir)
    assert dataset.element_spec[1].shape.as_list() == [None, 5]
    examples = data.read("shapes", "all", data_dir=shapes_dir)
    np.testing.assert_array_equal(np.concatenate([y for _, y in dataset.as_numpy_iterator()]), examples.labels)
    assert dataset.factors == examples.factors
    assert data.load("shapes", "test", data_dir=shapes_dir).factors == ()


def pairs(count=40):
    images = np.random.default_rng(0).integers(0, 256, [count, 8, 8], np.uint8)
    return tf.data.Dataset.from_tensor_slices((images, np.indices([4, count // 4]).reshape(2, -1).T))


def conditional(condition):
    vae = kv.models.vae((8, 8, 1), latent_size=2, hidden=[8], condition=condition)
    vae.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)  # nothing to trace
    return vae


def test_factors_train_an_ordinary_model_and_one_told_all_of_them():
    dataset = data.load(pairs(), batch_size=16, with_labels=True)
    for condition in (None, kv.conditions.Vector(2)):
        history = conditional(condition).fit(dataset, verbose=0)
        assert np.isfinite(history.history["loss"]).all()


def test_a_model_of_one_label_refuses_several_factors():
    with pytest.raises(ValueError, match=r"y numbers of shape \(batch,\), received.*shape=\(None, 2\)"):
        conditional(kv.conditions.Label(10)).fit(data.load(pairs(), batch_size=16, with_labels=True), verbose=0)


def test_a_run_of_a_conditional_model_refuses_several_factors(shapes_dir, tmp_path):
    config = RunConfig(data="shapes", model="cvae", hidden=(8,), network="mlp")
    with pytest.raises(ValueError, match="expected one label per image, received 5 factors"):
        Run(tmp_path / "run").train(config, 1, data_dir=str(shapes_dir))


def test_factors_in_a_file(tmp_path):
    images, factors = (np.stack(part) for part in zip(*pairs().as_numpy_iterator(), strict=True))
    np.savez(tmp_path / "some.npz", x=images, y=factors)
    found = data.read(tmp_path / "some.npz")
    np.testing.assert_array_equal(found.labels, factors)
    assert (found.labels.dtype, found.factors) == (np.int32, ())


def test_one_hot_labels_are_refused_with_a_cure():
    with pytest.raises(
        ValueError, match=r"expected one integer per image, received one-hot rows of shape \(5, 3\).*np\.argmax"
    ):
        data.read(
            tf.data.Dataset.from_tensor_slices((np.full([5, 4, 4], 9, np.uint8), np.eye(3, dtype=int)[[0, 1, 2, 0, 1]]))
        )
