import numpy as np
import pytest
import scipy.linalg

from keras_vae.evaluation.samples.distances import frechet_distance, frechet_of_normals


def covariance(rng, rank=4):
    root = rng.normal(size=[4, rank])
    return root @ root.T


def test_normals_that_share_their_axes():
    """There the distance is that of the means and of the standard deviations."""
    rng = np.random.default_rng(0)
    axes, _ = np.linalg.qr(rng.normal(size=[4, 4]))
    a, b = np.array([1.0, 2.0, 0.0, 4.0]), np.array([0.5, 5.0, 3.0, 0.0])
    found = frechet_of_normals(np.zeros(4), (axes * a**2) @ axes.T, np.ones(4), (axes * b**2) @ axes.T)
    assert found == pytest.approx(4 + np.sum((a - b) ** 2), rel=1e-6)


def test_normals_against_the_matrix_root():
    rng = np.random.default_rng(1)
    a, b, mean = covariance(rng), covariance(rng), rng.normal(size=4)
    wanted = mean @ mean + np.trace(a + b - 2 * np.real(scipy.linalg.sqrtm(a @ b)))
    assert frechet_of_normals(np.zeros(4), a, mean, b) == pytest.approx(wanted, rel=1e-6)


def test_singular_covariances_have_a_distance():
    rng = np.random.default_rng(2)
    a = covariance(rng, rank=2)
    assert frechet_of_normals(np.zeros(4), a, np.zeros(4), a) == pytest.approx(0, abs=1e-6)
    assert frechet_of_normals(np.zeros(4), a, np.zeros(4), 0 * a) == pytest.approx(np.trace(a))


def test_sets_of_examples():
    rng = np.random.default_rng(3)
    a = rng.normal(size=[500, 3])
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, np.concatenate([a, a])) == pytest.approx(0, abs=1e-5)  # ddof apart
    # Twice as far from the mean of each: standard deviations double along all axes.
    doubled = a.mean(axis=0) + 2 * (a - a.mean(axis=0)) + [1, 0, 2]
    assert frechet_distance(a, doubled) == pytest.approx(5 + np.sum(np.var(a, axis=0, ddof=1)), rel=1e-9)
    assert frechet_distance(doubled, a) == pytest.approx(frechet_distance(a, doubled), rel=1e-9)


def test_bad_sets_are_refused():
    with pytest.raises(ValueError, match=r"received shapes \(1, 3\) and \(5, 3\)"):
        frechet_distance(np.zeros([1, 3]), np.zeros([5, 3]))
    with pytest.raises(ValueError, match="wanted two sets"):
        frechet_distance(np.zeros([5, 2]), np.zeros([5, 3]))
