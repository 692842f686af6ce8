import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from keras_vae.evaluation.latents.representation import nearest, precision, vote


def test_votes_are_those_of_scikit_learns_classifier():
    rng = np.random.default_rng(0)
    train, test, labels = rng.normal(size=[300, 4]), rng.normal(size=[100, 4]), rng.integers(5, size=300)
    for k in (1, 4, 15):
        wanted = KNeighborsClassifier(k, algorithm="kd_tree").fit(train, labels).predict(test)
        np.testing.assert_array_equal(vote(labels[nearest(train, test, k)], 5), wanted)


def test_neighbors_by_hand():
    train = np.array([[0.0, 0], [3, 0], [0, 2], [9, 9]])
    found = nearest(train, np.array([[0.1, 0], [8, 8]]), 3)
    # (8, 8) is √89 from (3, 0) and 10 from (0, 2).
    assert found[1].tolist() == [3, 1, 2]


def test_precision_by_hand():
    found = precision(np.array([[1, 1, 0], [2, 2, 2], [0, 0, 0]]), np.array([1, 2, 1]))
    np.testing.assert_allclose(found, [2 / 3, 1, 0])
