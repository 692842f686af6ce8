import itertools
import math
import sys

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial.distance
from sklearn.metrics.pairwise import polynomial_kernel

from keras_vae.evaluation.samples.distances import (
    frechet_distance,
    frechet_of_normals,
    kernel_distance,
    precision_recall,
    unbiased_mmd,
)


def covariance(rng, rank=4):
    root = rng.normal(size=[4, rank])
    return root @ root.T


def test_frechet_normals_that_share_their_axes():
    """There the distance is that of the means and of the standard deviations."""
    rng = np.random.default_rng(0)
    axes, _ = np.linalg.qr(rng.normal(size=[4, 4]))
    a, b = np.array([1.0, 2.0, 0.0, 4.0]), np.array([0.5, 5.0, 3.0, 0.0])
    found = frechet_of_normals(np.zeros(4), (axes * a**2) @ axes.T, np.ones(4), (axes * b**2) @ axes.T)
    assert found == pytest.approx(4 + np.sum((a - b) ** 2), rel=1e-6)


def test_frechet_normals_against_the_matrix_root():
    rng = np.random.default_rng(1)
    a, b, mean = covariance(rng), covariance(rng), rng.normal(size=4)
    wanted = mean @ mean + np.trace(a + b - 2 * np.real(scipy.linalg.sqrtm(a @ b)))
    assert frechet_of_normals(np.zeros(4), a, mean, b) == pytest.approx(wanted, rel=1e-6)


def test_frechet_singular_covariances_have_a_distance():
    rng = np.random.default_rng(2)
    a = covariance(rng, rank=2)
    assert frechet_of_normals(np.zeros(4), a, np.zeros(4), a) == pytest.approx(0, abs=1e-6)
    assert frechet_of_normals(np.zeros(4), a, np.zeros(4), 0 * a) == pytest.approx(np.trace(a))


def test_frechet_sets_of_examples():
    rng = np.random.default_rng(3)
    a = rng.normal(size=[500, 3])
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, np.concatenate([a, a])) == pytest.approx(0, abs=1e-5)  # ddof apart
    # Twice as far from the mean of each: standard deviations double along all axes.
    doubled = a.mean(axis=0) + 2 * (a - a.mean(axis=0)) + [1, 0, 2]
    assert frechet_distance(a, doubled) == pytest.approx(5 + np.sum(np.var(a, axis=0, ddof=1)), rel=1e-9)
    assert frechet_distance(doubled, a) == pytest.approx(frechet_distance(a, doubled), rel=1e-9)


def test_frechet_bad_sets_are_refused():
    with pytest.raises(ValueError, match=r"received \(1, 3\) and \(5, 3\)"):
        frechet_distance(np.zeros([1, 3]), np.zeros([5, 3]))
    with pytest.raises(ValueError, match="sets have the wrong shapes"):
        frechet_distance(np.zeros([5, 2]), np.zeros([5, 3]))


def test_kernel_by_hand():
    """Kernels of 2-vectors: within a (4/2 + 1)³ = 27, within b 1, between them 1."""
    a, b = np.array([[2.0, 0], [2, 0], [2, 0]]), np.array([[0.0, 1], [0, 0]])
    assert unbiased_mmd(a, b) == pytest.approx(27 + 1 - 2)


def test_kernel_against_scikit_learns_kernel_pair_by_pair():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=[6, 3]), 1 + rng.normal(size=[5, 3])

    def mean(pairs):
        return np.mean([polynomial_kernel(u[None], v[None], degree=3, coef0=1)[0, 0] for u, v in pairs])

    wanted = mean(itertools.permutations(a, 2)) + mean(itertools.permutations(b, 2)) - 2 * mean(itertools.product(a, b))
    assert unbiased_mmd(a, b) == pytest.approx(wanted, rel=1e-12)


def test_kernel_without_bias_and_with_an_honest_standard_error():
    """Of one distribution, 300 estimates lie about 0, as far as their standard errors say."""
    rng = np.random.default_rng(1)
    found = np.array(
        [kernel_distance(rng.normal(size=[60, 2]), rng.normal(size=[60, 2]), blocks=6) for _ in range(300)]
    )
    values, errors = found[:, 0], found[:, 1]
    assert abs(values.mean()) < 3.5 * values.std() / math.sqrt(300)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.2)  # of 300: 4 % each
    assert values.min() < 0


def test_kernel_known_distance_of_two_distributions():
    """N(0, 1) and N(1, 1), whose features E[x^i] are (1, 0, 1, 0) and (1, 1, 2, 4): 3·1² + 3·1² + 4²."""
    rng = np.random.default_rng(2)
    value, error = kernel_distance(rng.normal(size=[20000, 1]), 1 + rng.normal(size=[20000, 1]), blocks=20)
    assert error < 1.5
    assert abs(value - 22) < 4 * error


def test_kernel_one_block_is_the_whole():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=[20, 2]), rng.normal(size=[30, 2])
    value, error = kernel_distance(a, b, blocks=1)
    assert value == pytest.approx(unbiased_mmd(a, b))
    assert math.isnan(error)


def test_kernel_bad_sets_are_refused():
    with pytest.raises(ValueError, match=r"at least 20 for 10 blocks, received \(19, 2\) and \(40, 2\)"):
        kernel_distance(np.zeros([19, 2]), np.zeros([40, 2]))
    with pytest.raises(ValueError, match="blocks: expected a positive integer"):
        kernel_distance(np.zeros([19, 2]), np.zeros([40, 2]), blocks=0)


# A function of the same name may hide the module.
module = sys.modules["keras_vae.evaluation.samples.distances"]

LINE = np.arange(10.0)[:, None]


@pytest.mark.parametrize(
    ("generated", "wanted"),
    [
        (LINE + 0.25, (1.0, 1.0)),
        (LINE + 100, (0.0, 0.0)),
        (np.concatenate([LINE, LINE]), (1.0, 1.0)),  # twice the data, nothing else
        # All at one end: as real as can be, and with balls of radius 0.01 that hold one real point.
        (np.array([0.0, 0.01, 0.02, 0.03])[:, None], (1.0, 0.1)),
        # Half of them far off; the other half, each a real point, cover all between them.
        (np.concatenate([LINE, 1000 + LINE]), (0.5, 1.0)),
        # Real ones are 1 apart: 0.9 beyond the end is inside the last ball, 1.1 is not.
        (np.array([9.9, 10.1])[:, None], (0.5, 0.0)),
    ],
)
def test_precision_recall_by_hand(generated, wanted):
    assert precision_recall(LINE, generated=generated, neighbors=1) == wanted
    assert precision_recall(generated, generated=LINE, neighbors=1) == wanted[::-1]


def test_precision_recall_more_neighbors_make_wider_balls():
    beyond = np.array([[11.5], [11.6], [50.0], [51.0]])
    assert precision_recall(LINE, generated=beyond, neighbors=1)[0] == 0
    assert precision_recall(LINE, generated=beyond, neighbors=3)[0] == 0.5  # the end's third neighbor is 3 away


def test_precision_recall_against_all_distances(monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 7)
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=[50, 5]), 0.7 + rng.normal(size=[40, 5])

    def share(manifold, points):
        radii = np.sort(scipy.spatial.distance.cdist(manifold, manifold), axis=1)[:, 3]
        return np.mean([any(np.linalg.norm(p - m) <= r for m, r in zip(manifold, radii, strict=True)) for p in points])

    found = precision_recall(real, generated=generated)
    assert found == (share(real, generated), share(generated, real))
    assert 0 < found[0] < 1


def test_precision_recall_bad_sets_are_refused():
    with pytest.raises(ValueError, match=r"n above 3 for 3 neighbors, received \(3, 1\) and \(10, 1\)"):
        precision_recall(LINE[:3], generated=LINE)
    with pytest.raises(ValueError, match="sets have the wrong shapes"):
        precision_recall(LINE, generated=np.zeros([10, 2]))
