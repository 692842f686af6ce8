"""The values that preprocessing yields, against what mathematics says of them."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_vae import data
from keras_vae.data import preprocess
from keras_vae.families.support import GRAY_LEVELS, OPEN_UNIT_INTERVAL

COPIES = 4000
LEVELS = np.tile(np.arange(256, dtype=np.uint8).reshape(1, 16, 16), [COPIES, 1, 1])


def values(*args, **kwargs):
    return np.concatenate([x.numpy() for x in data.load(*args, **kwargs)])


@pytest.mark.parametrize(("name", "shuffle"), [("dynamic", True), ("dynamic", False), ("static", True)])
def test_pixels_are_one_as_often_as_they_are_bright(name, shuffle):
    x = values(LEVELS, preprocess=name, shuffle=shuffle, seed=1, batch_size=999)
    assert x.dtype == np.float32
    assert set(np.unique(x)) == {0.0, 1.0}
    p = np.arange(256) / 255
    frequency = x.reshape(COPIES, 256).mean(axis=0)
    # Five binomial standard deviations: one of 256 levels strays further once in 7,000 seeds.
    assert np.all(np.abs(frequency - p) <= 5 * np.sqrt(p * (1 - p) / COPIES))


@pytest.mark.parametrize("shuffle", [True, False])
def test_equal_images_and_neighboring_pixels_get_independent_noise(shuffle):
    gray = np.full((2000, 8, 8), 128, np.uint8)
    x = values(gray, shuffle=shuffle, seed=2).reshape(2000, 64) - 128 / 255
    # A correlation of 2000 pairs has standard deviation 1/sqrt(2000); the largest of 63 + 63 stays below five.
    assert np.all(np.abs(np.mean(x[:, 1:] * x[:, :-1], axis=0)) / 0.25 < 5 / np.sqrt(2000))
    assert np.all(np.abs(np.mean(x[1:] * x[:-1], axis=0)) / 0.25 < 5 / np.sqrt(2000))
    assert len(np.unique(x, axis=0)) == 2000


@pytest.mark.parametrize("shuffle", [True, False])
def test_dequantized_values_are_uniform_within_their_pixel(shuffle):
    x = values(LEVELS, likelihood="normal", preprocess="dequantized", shuffle=shuffle, seed=3)
    pixels = LEVELS[..., None].astype(np.float64)
    assert np.all(x > pixels / 256)
    assert np.all(x < (pixels + 1) / 256)
    u = (x.astype(np.float64) * 256 - pixels).reshape(COPIES, 256)
    # With a fixed seed this is no lottery: wrong noise has p-values of 0 to many digits.
    assert stats.kstest(u[:, :16].ravel(), "uniform").pvalue > 1e-3
    assert stats.kstest(u[:, -16:].ravel(), "uniform").pvalue > 1e-3


def test_dequantized_white_stays_below_one():
    """In plain float32, 255 + u rounds to 256 once in 131,072 draws."""
    white = np.full((40, 256, 256), 255, np.uint8)
    assert values(white, likelihood="normal", seed=4).max() < 1


@pytest.mark.parametrize("u", [0.0, 2.0**-24, 0.5, 1 - 2.0**-24])
def test_dequantized_values_lie_strictly_within_their_pixel(u):
    x = preprocess.dequantize(tf.range(256), tf.fill([256], u)).numpy().astype(np.float64) * 256 - np.arange(256)
    # Exact: the same offset at every pixel, a midpoint of the 2^15 cells.
    np.testing.assert_array_equal(x, x[0])
    assert 0 < x[0] < 1
    assert abs(x[0] - u) <= 2.0**-16


def test_black_is_never_one_and_white_always():
    ends = tf.constant([0, 255], tf.uint8)
    assert not preprocess.binarize(ends, tf.zeros(2)).numpy()[0]
    assert preprocess.binarize(ends, tf.fill([2], np.nextafter(np.float32(1), 0))).numpy()[1]


def test_gray_is_the_pixel_over_255():
    x = values(LEVELS[:1], likelihood="continuous_bernoulli", preprocess="gray", shuffle=False)
    np.testing.assert_array_equal(x.ravel(), np.arange(256, dtype=np.float32) / np.float32(255))


def test_gray_floats_are_taken_as_they_are():
    x = np.linspace(0, 1, 64).reshape(1, 8, 8)
    np.testing.assert_array_equal(values(x, likelihood="normal", preprocess="gray")[..., 0], x.astype(np.float32))


@pytest.mark.parametrize("name", ["dynamic", "static"])
def test_binary_images_stay_as_they_are(name):
    x = np.random.default_rng(0).random((50, 6, 6)) < 0.5
    np.testing.assert_array_equal(values(x, preprocess=name, shuffle=False)[..., 0], x)


@pytest.mark.parametrize(
    ("likelihood", "same_as"),
    [
        ("bernoulli", "dynamic"),
        ("continuous_bernoulli", "dequantized"),
        ("normal", "dequantized"),
        ("beta", "dequantized"),
        ("gray_levels", "gray"),
        ("discretized_logistic_mixture", "gray"),
    ],
)
def test_defaults(likelihood, same_as):
    default = values(LEVELS[:9], likelihood=likelihood)
    np.testing.assert_array_equal(default, values(LEVELS[:9], likelihood=likelihood, preprocess=same_as))


@pytest.mark.parametrize("likelihood", ["continuous_bernoulli", "normal"])
@pytest.mark.parametrize("name", list(data.PREPROCESSING))
def test_supports_that_hold_the_unit_interval_allow_all(likelihood, name):
    x = values(LEVELS[:9], likelihood=likelihood, preprocess=name)
    assert x.min() >= 0
    assert x.max() <= 1


@pytest.mark.parametrize("name", ["gray", "dequantized"])
def test_bernoulli_refuses_gray_values(name):
    with pytest.raises(
        ValueError, match=f"expected one of 'dynamic', 'static' .*Bernoulli.*{name}.*continuous_bernoulli"
    ):
        data.load(LEVELS, preprocess=name)


@pytest.mark.parametrize("likelihood", ["gray_levels", "discretized_logistic_mixture"])
@pytest.mark.parametrize("name", ["gray", "dynamic", "static"])
def test_likelihoods_of_gray_levels_get_gray_levels(likelihood, name):
    x = values(LEVELS[:9], likelihood=likelihood, preprocess=name)
    assert np.all(GRAY_LEVELS.contains(tf.constant(x)))
    with pytest.raises(ValueError, match=r"expected one of 'gray', 'dynamic', 'static' .*dequantized"):
        data.load(LEVELS, likelihood=likelihood, preprocess="dequantized")


def test_beta_takes_only_values_in_the_open_interval():
    x = values(LEVELS[:9], likelihood="beta")
    assert np.all(OPEN_UNIT_INTERVAL.contains(tf.constant(x)))
    for name in ("gray", "dynamic", "static"):
        with pytest.raises(ValueError, match=f"expected one of 'dequantized' .*Beta.*{name}.*continuous_bernoulli"):
            data.load(LEVELS, likelihood="beta", preprocess=name)
    with pytest.raises(ValueError, match="preprocess='gray' with likelihood='continuous_bernoulli'"):
        data.load(LEVELS / 255, likelihood="beta")


@pytest.mark.parametrize("dtype", [bool, np.float32])
def test_only_8_bit_pixels_can_be_dequantized(dtype):
    with pytest.raises(ValueError, match=r"the default here.*expected uint8.*preprocess='gray'"):
        data.load(np.eye(8, dtype=dtype)[None], likelihood="normal")


def test_unknown_names():
    with pytest.raises(ValueError, match=r"'bernouli'.*Did you mean 'bernoulli'"):
        data.load(LEVELS, likelihood="bernouli")
    with pytest.raises(ValueError, match=r"'dequantize'.*Did you mean 'dequantized'"):
        data.load(LEVELS, likelihood="normal", preprocess="dequantize")


def test_the_global_seed_has_no_say():
    tf.random.set_seed(1)
    first = values(LEVELS[:9])
    tf.random.set_seed(2)
    np.testing.assert_array_equal(first, values(LEVELS[:9]))
