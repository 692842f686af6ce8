import json
import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.neighbors import KNeighborsClassifier

import keras_vae as kv
from keras_vae.evaluation.latents.representation import linear_probe, nearest, precision, representation, vote


def identity(condition=None):
    """Return a model whose posterior means are x itself, of two numbers."""
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(2)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(2, scale=1.0)),
        condition=condition,
    )
    kernel = np.zeros([2 + (0 if condition is None else condition.size), 2, 2])
    kernel[:2, :, 0] = np.eye(2)
    vae.encoder.head.set_weights([kernel.reshape(-1, 4), np.zeros(4)])
    return vae


def corners(count, spread=0.1, seed=0):
    """Return points about (±1, ±1), and which corner each is of."""
    rng = np.random.default_rng(seed)
    place = np.arange(count) % 4
    centers = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    return (centers[place] + spread * rng.normal(size=[count, 2])).astype(np.float32), place


def test_classes_apart_are_told_by_all():
    found = representation(identity(), corners(80), test=corners(20, seed=1), verbose=False)
    assert found.knn_accuracy == found.probe_accuracy == found.retrieval_precision == 1.0
    np.testing.assert_array_equal(found.knn_confusion, 5 * np.eye(4))
    np.testing.assert_array_equal(found.probe_confusion, 5 * np.eye(4))


def test_what_is_not_linear_is_told_by_neighbors_alone():
    """Opposite corners have one class: no line leaves more than three corners of four right."""
    (x, place), (other, corner) = corners(400), corners(100, seed=1)
    classes = np.array([0, 1, 1, 0])
    train, test = (x, classes[place]), (other, classes[corner])
    found = representation(identity(), train, test=test, retrieved=400, verbose=False)
    assert found.knn_accuracy == 1.0
    assert found.retrieval_precision == 0.5  # all of them are retrieved, and half have the class
    assert found.probe_accuracy <= 0.76


def test_scores_by_hand():
    """Of 5 test points of class 7, two lie among class 3; the one of class 3 lies at home."""
    x = np.float32([[0, 0], [0, 1], [1, 0], [10, 0], [10, 1], [11, 0]])
    labels = np.array([3, 3, 3, 7, 7, 7])
    test = np.float32([[0.4, 0.4], [10.4, 0.4], [10.4, 0.3], [10.3, 0.4], [0.3, 0.4], [0.4, 0.3]])
    found = representation(
        identity(), (x, labels), test=(test, np.array([3, 7, 7, 7, 7, 7])), neighbors=3, retrieved=4, verbose=False
    )
    assert found.classes.tolist() == [3, 7]
    assert found.knn_confusion.tolist() == [[1, 0], [2, 3]]
    assert found.probe_confusion.tolist() == [[1, 0], [2, 3]]
    assert found.knn_accuracy == pytest.approx(4 / 6)
    # Of four neighbors, three are of the point's own place and one of the other.
    np.testing.assert_allclose(found.retrieval, [0.75, (3 * 0.75 + 2 * 0.25) / 5])
    assert found.retrieval_precision == pytest.approx((0.75 + 3 * 0.75 + 2 * 0.25) / 6)
    rows = {row[0]: row[1:] for row in found.table()}
    assert rows["class"] == ("examples", "3-NN", "linear probe", "precision@4")
    assert rows["7"] == ("5", "0.6000", "0.6000", "0.5500")
    assert rows["largest class"][1] == "0.8333"


def test_a_class_without_test_examples_counts_for_nothing():
    x, labels = corners(40)
    found = representation(
        identity(), (x, labels), test=(x[labels < 3], labels[labels < 3]), neighbors=3, verbose=False
    )
    assert found.knn_accuracy == found.retrieval_precision == 1.0
    assert math.isnan(found.retrieval[3])
    assert found.to_dict()["retrieval"][3] is None
    found.figure()


def test_the_probe_does_not_depend_on_the_codes_units():
    x, labels = corners(200, spread=1.0)
    first, converged = linear_probe(x, labels, test=x)
    again, _ = linear_probe(x * [1000, 1e-3] + [5, -3], labels, test=x * [1000, 1e-3] + [5, -3])
    assert converged
    assert np.mean(first == again) > 0.99
    assert 0.5 < np.mean(first == labels) < 0.95


def test_datasets_and_what_is_saved(tmp_path):
    train, test = corners(40), corners(12, spread=1.0, seed=1)
    batches = [tf.data.Dataset.from_tensor_slices(part).batch(7) for part in (train, test)]
    found = representation(identity(), batches[0], test=batches[1], neighbors=5, verbose=False)
    again = representation(identity(), train, test=test, neighbors=5, verbose=False)
    assert found.to_dict() == again.to_dict()
    found.save(tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text())["knn_accuracy"] == found.knn_accuracy
    found.plot(tmp_path / "found.png")
    assert (tmp_path / "found.png").stat().st_size > 5000


def test_labels_given_to_the_encoder_are_told():
    found = representation(identity(kv.conditions.Label(4)), corners(40), test=corners(8), neighbors=3, verbose=False)
    assert any("encoder receives the labels" in warning for warning in found.warnings())
    assert not representation(identity(), corners(40), test=corners(8), neighbors=3, verbose=False).warnings()


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (corners(12)[0], corners(12), "no labels"),
        ((corners(40)[0], np.eye(4)[corners(40)[1]]), corners(12), "one integer per example.*float64"),
        (corners(12), corners(12), "expected 15 or more.*received 12"),
        (corners(40), (corners(4)[0], np.arange(4) + 3), r"and also \[4, 5, 6\] in test"),
        ((corners(40)[0], np.zeros(40, int)), (corners(4)[0], np.zeros(4, int)), "expected two or more in train"),
    ],
)
def test_bad_data_are_refused(train, test, message):
    with pytest.raises(ValueError, match=message):
        representation(identity(), train, test=test, verbose=False)
    with pytest.raises(ValueError, match="retrieved: expected a positive integer"):
        representation(identity(), train, test=test, retrieved=0, verbose=False)


def test_votes_are_those_of_scikit_learns_classifier():
    rng = np.random.default_rng(0)
    train, test, labels = rng.normal(size=[300, 4]), rng.normal(size=[100, 4]), rng.integers(5, size=300)
    for k in (1, 4, 15):
        wanted = KNeighborsClassifier(k, algorithm="kd_tree").fit(train, labels).predict(test)
        np.testing.assert_array_equal(vote(labels[nearest(train, test=test, count=k)], 5), wanted)


def test_neighbors_by_hand():
    train = np.array([[0.0, 0], [3, 0], [0, 2], [9, 9]])
    found = nearest(train, test=np.array([[0.1, 0], [8, 8]]), count=3)
    # (8, 8) is √89 from (3, 0) and 10 from (0, 2).
    assert found[1].tolist() == [3, 1, 2]


def test_precision_by_hand():
    found = precision(np.array([[1, 1, 0], [2, 2, 2], [0, 0, 0]]), np.array([1, 2, 1]))
    np.testing.assert_allclose(found, [2 / 3, 1, 0])
