import numpy as np
import pytest
import tensorflow as tf

from keras_vae.families import support

LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("OPEN_UNIT_INTERVAL", [1.2e-38, 0.5, 1 - 6e-8], [0.0, -0.0, 1.0, -1e-30, 2.0, np.inf, -np.inf, np.nan]),
        ("GRAY_LEVELS", [0.0, 1.0, 51 / 255], [0.5, 1 / 256, -1 / 255, 256 / 255, 1e9, np.inf, -np.inf, np.nan]),
        ("UNIT_INTERVAL", [0.0, 0.3, 1.0], [-1e-6, 1.001, np.inf, np.nan]),
        ("BINARY", [0.0, 1.0], [0.5, -1.0, np.inf, np.nan]),
        ("REAL", [0.0, -1e30], [np.inf, -np.inf, np.nan]),
    ],
)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_membership(name, inside, outside, dtype):
    contains = getattr(support, name).contains
    assert np.all(contains(tf.constant(inside, dtype)))
    assert not np.any(contains(tf.constant(outside, dtype)))


def test_all_gray_levels_however_they_are_computed():
    for levels in (LEVELS, np.arange(256, dtype=np.float32) * np.float32(1 / 255), np.arange(256) / 255):
        assert np.all(support.GRAY_LEVELS.contains(tf.constant(levels)))


def test_values_between_gray_levels_are_outside():
    between = (np.arange(255)[:, None] + np.linspace(0.01, 0.99, 9)).astype(np.float32) / np.float32(255)
    assert not np.any(support.GRAY_LEVELS.contains(tf.constant(between)))
    dequantized = (np.arange(256, dtype=np.float32) + 0.3) / 256
    # 255 (k + 0.3)/256 passes within 1e-3 of an integer for none of these k.
    assert not np.any(support.GRAY_LEVELS.contains(tf.constant(dequantized)))


def test_one_hot_vectors():
    rows = [[0, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0], [0.5, 0.5, 0], [2, -1, 0], [np.nan, 1, 0], [0, 0, 0.999]]
    found = support.ONE_HOT.contains(tf.constant(rows, tf.float32))
    assert found.shape == (8, 3)
    np.testing.assert_array_equal(np.all(found, axis=-1), [True, True, *[False] * 6])


def test_one_hot_vectors_with_leading_axes():
    x = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(4, size=(5, 2))]
    assert np.all(support.ONE_HOT.contains(tf.constant(x)))
    x[3, 1] = 0
    found = support.ONE_HOT.contains(tf.constant(x)).numpy()
    assert not np.any(found[3, 1])
    assert found.sum() == 4 * 9


def test_each_support_says_what_is_expected_and_what_to_do():
    for part in (support.OPEN_UNIT_INTERVAL, support.GRAY_LEVELS, support.ONE_HOT):
        assert part.name
        assert part.expected
        assert not part.advice.endswith(".")
