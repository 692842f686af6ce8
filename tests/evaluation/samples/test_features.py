import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.evaluation.samples.features import learn_features
from tests.evaluation.bars import bars

TRAIN, TEST = bars(200, 0), bars(100, 1)


def learn(train=TRAIN, test=TEST, seed=0):
    return learn_features(train, test=test, epochs=2, batch_size=16, seed=seed, verbose=False)


@pytest.fixture(scope="module")
def features():
    return learn()


def test_a_classifier_that_tells_what_it_has_not_seen(features):
    images, labels = TEST
    found = features(images)
    assert found.shape == (100, features.size)
    assert found.dtype == np.float64
    assert features.accuracy > 0.95
    assert features.num_test == 100
    # The classes lie apart in the features: nearer to their own mean than to the other's.
    means = np.stack([found[labels == label].mean(axis=0) for label in range(2)])
    nearer = np.linalg.norm(found[:, None] - means, axis=-1).argmin(axis=1)
    assert np.mean(nearer == labels) > 0.95


def test_features_have_all_their_bits_under_any_policy(features):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = learn()
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(mixed(TEST[0]), features(TEST[0]), rtol=1e-4, atol=1e-5)


def test_the_accuracy_is_that_of_the_labels_given():
    """Classes need not count from 0; of the test set's, a quarter is turned over here."""
    (images, labels), (test, truth) = TRAIN, TEST
    told = np.where(np.arange(len(truth)) % 4 == 0, 1 - truth, truth)
    found = learn((images, 10 + 7 * labels), (test, 10 + 7 * told))
    assert found.accuracy == pytest.approx(0.75, abs=0.05)


def test_the_seed_decides_and_global_seeds_are_left_alone(features):
    images, _ = bars(20, 1)
    np.random.seed(5)
    wanted = np.random.random()
    np.random.seed(5)
    again = learn(*(tf.data.Dataset.from_tensor_slices(part).batch(30) for part in (TRAIN, TEST)))
    assert np.random.random() == wanted
    np.testing.assert_array_equal(features(images), again(images))
    assert not np.allclose(features(images), learn(seed=1)(images))


def test_chunks_do_not_change_the_features(features, monkeypatch):
    images, _ = bars(20, 1)
    whole = features(images)
    monkeypatch.setattr("keras_vae.evaluation.samples.features._ROWS", 7)
    np.testing.assert_allclose(features(images), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (bars(10, 0)[0], "train has the wrong form: expected images"),
        ((bars(10, 0)[0][..., 0], bars(10, 0)[1]), r"received \[\(10, 8, 8\), \(10,\)\]"),
        ((bars(10, 0)[0], np.zeros(10)), "integer labels"),
        ((bars(10, 0)[0], np.zeros(10, int)), "two or more classes"),
        ((bars(10, 0)[0][:, :4], bars(10, 0)[1]), "test images of the same shape"),
        (tf.data.Dataset.from_tensor_slices(bars(10, 0)[0]).batch(5), "train has the wrong form: expected images"),
    ],
)
def test_bad_data_are_refused(train, message):
    with pytest.raises(ValueError, match=message):
        learn_features(train, test=bars(10, 0), verbose=False)
    with pytest.raises(ValueError, match="epochs: expected a positive integer"):
        learn_features(train, test=bars(10, 0), epochs=0, verbose=False)
    with pytest.raises(ValueError, match="batch_size: expected a positive integer"):
        learn_features(train, test=bars(10, 0), batch_size=0, verbose=False)
    with pytest.raises(ValueError, match="learn_features: seed"):
        learn_features(train, test=bars(10, 0), seed=-1, verbose=False)


def test_other_images_are_refused(features):
    with pytest.raises(ValueError, match=r"expected \(8, 8, 1\), .*received \(4, 4, 1\)"):
        features(np.zeros([3, 4, 4, 1]))
