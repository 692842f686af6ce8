import itertools
import math

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from keras_vae.evaluation.samples.distances import kernel_distance, unbiased_mmd


def test_by_hand():
    """Kernels of 2-vectors: within a (4/2 + 1)³ = 27, within b 1, between them 1."""
    a, b = np.array([[2.0, 0], [2, 0], [2, 0]]), np.array([[0.0, 1], [0, 0]])
    assert unbiased_mmd(a, b) == pytest.approx(27 + 1 - 2)


def test_against_scikit_learns_kernel_pair_by_pair():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=[6, 3]), 1 + rng.normal(size=[5, 3])

    def mean(pairs):
        return np.mean([polynomial_kernel(u[None], v[None], degree=3, coef0=1)[0, 0] for u, v in pairs])

    wanted = mean(itertools.permutations(a, 2)) + mean(itertools.permutations(b, 2)) - 2 * mean(itertools.product(a, b))
    assert unbiased_mmd(a, b) == pytest.approx(wanted, rel=1e-12)


def test_without_bias_and_with_an_honest_standard_error():
    """Of one distribution, 300 estimates lie about 0, as far as their standard errors say."""
    rng = np.random.default_rng(1)
    found = np.array(
        [kernel_distance(rng.normal(size=[60, 2]), rng.normal(size=[60, 2]), blocks=6) for _ in range(300)]
    )
    values, errors = found[:, 0], found[:, 1]
    assert abs(values.mean()) < 3.5 * values.std() / math.sqrt(300)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.2)  # of 300: 4 % each
    assert values.min() < 0


def test_known_distance_of_two_distributions():
    """N(0, 1) and N(1, 1), whose features E[x^i] are (1, 0, 1, 0) and (1, 1, 2, 4): 3·1² + 3·1² + 4²."""
    rng = np.random.default_rng(2)
    value, error = kernel_distance(rng.normal(size=[20000, 1]), 1 + rng.normal(size=[20000, 1]), blocks=20)
    assert error < 1.5
    assert abs(value - 22) < 4 * error


def test_one_block_is_the_whole():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=[20, 2]), rng.normal(size=[30, 2])
    value, error = kernel_distance(a, b, blocks=1)
    assert value == pytest.approx(unbiased_mmd(a, b))
    assert math.isnan(error)


def test_bad_sets_are_refused():
    with pytest.raises(ValueError, match=r"at least 20 for 10 blocks; received shapes \(19, 2\) and \(40, 2\)"):
        kernel_distance(np.zeros([19, 2]), np.zeros([40, 2]))
    with pytest.raises(ValueError, match="blocks must be a positive integer"):
        kernel_distance(np.zeros([19, 2]), np.zeros([40, 2]), blocks=0)
