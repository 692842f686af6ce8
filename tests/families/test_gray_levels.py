import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import tensorflow as tf

from keras_vae.families.gray_levels import GrayLevels

LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)


def random_logits(shape, scale=2.0):
    return scale * np.random.default_rng(0).normal(size=shape).astype(np.float32)


def bell(center=40, width=5.0):
    """Logits of a bell of levels, as a trained network would give."""
    return (-0.5 * ((np.arange(256) - center) / width) ** 2).astype(np.float32)


@pytest.mark.parametrize("logits", [random_logits(256), random_logits(256, 40.0), bell(), np.zeros(256, np.float32)])
def test_log_probability_of_each_level_against_scipy(logits):
    family = GrayLevels((1,))
    found = family.distribution(family(logits[None, None])).log_prob(LEVELS[:, None, None])
    wanted = scipy.special.log_softmax(logits.astype(np.float64))
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-5, atol=1e-5)
    assert np.sum(np.exp(found, dtype=np.float64)) == pytest.approx(1, abs=1e-5)


def test_event_sums_its_elements():
    family = GrayLevels((2, 2))
    logits = random_logits([1, 2, 2, 256])
    x = np.array([[[3, 250], [0, 255]]])
    found = family.distribution(family(logits)).log_prob(LEVELS[x])
    wanted = np.take_along_axis(scipy.special.log_softmax(logits, -1), x[..., None], -1).sum()
    assert float(found[0]) == pytest.approx(wanted, rel=1e-6)


def test_levels_are_found_despite_rounding_and_other_values_are_impossible():
    family = GrayLevels((1,))
    p = family.distribution(family(random_logits([1, 1, 256])))
    for towards in (0, 1):
        rounded = np.nextafter(LEVELS, np.float32(towards))
        np.testing.assert_array_equal(p.log_prob(rounded[:, None, None]), p.log_prob(LEVELS[:, None, None]))
    outside = np.array([0.5, 1 / 256, -1 / 255, 256 / 255, 1e9, np.nan], np.float32)
    np.testing.assert_array_equal(p.log_prob(outside[:, None, None]), np.full([6, 1], -np.inf))


def test_gradient_against_finite_differences_of_scipy():
    logits = random_logits(256)
    family, variable = GrayLevels((1,)), tf.Variable(logits[None, None])
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(variable)).log_prob([[LEVELS[77]]])
    found = tape.gradient(log_prob, variable)[0, 0]
    wanted = scipy.optimize.approx_fprime(
        logits.astype(np.float64), lambda values: scipy.special.log_softmax(values)[77], 1e-7
    )
    np.testing.assert_allclose(found, wanted, atol=2e-6)


@pytest.mark.parametrize("size", [40.0, 1e6])
def test_extreme_logits_stay_finite(size):
    logits = np.where(np.arange(256) % 3 == 0, size, -size).astype(np.float32)
    family, variable = GrayLevels((256,)), tf.Variable(np.tile(logits, [1, 256, 1]))
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(variable)).log_prob(LEVELS[None])
    # 86 levels share the probability; each of the others is exp(−2 size) as likely.
    assert float(log_prob[0]) == pytest.approx(-256 * np.log(86) - 170 * 2 * size, rel=1e-5)
    assert np.all(np.isfinite(tape.gradient(log_prob, variable)))


@pytest.mark.parametrize("logits", [random_logits(256), bell(), bell(300), 1e6 * (np.arange(256) == 255)])
def test_mean_and_scale_by_enumeration(logits):
    family = GrayLevels((1,))
    p = family(np.asarray(logits, np.float32)[None, None])
    levels, probabilities = np.arange(256) / 255, scipy.special.softmax(np.asarray(logits, np.float64))
    mean = probabilities @ levels
    np.testing.assert_allclose(family.mean(p), [[mean]], rtol=1e-5)
    np.testing.assert_allclose(family.scale(p), [[np.sqrt(probabilities @ (levels - mean) ** 2)]], rtol=1e-4, atol=1e-6)
    assert 0 <= float(family.mean(p)[0, 0]) <= 1


def test_samples_against_the_probabilities():
    family = GrayLevels((1,))
    draws = family.distribution(family(bell(3, 4.0)[None, None])).sample(4000, seed=tf.constant([1, 2])).numpy().ravel()
    assert np.all(np.isin(draws, LEVELS))
    counts = np.bincount(np.round(draws * 255).astype(int), minlength=256)
    probabilities = scipy.special.softmax(bell(3, 4.0).astype(np.float64))
    # Levels from 12 on are pooled, so that each cell expects more than five draws.
    pooled = [np.append(values[:12], values[12:].sum()) for values in (counts, 4000 * probabilities)]
    assert scipy.stats.chisquare(*pooled).pvalue > 0.001  # level 0.001, seed fixed


def test_leading_axes_and_compilation():
    family = GrayLevels((2, 2, 1))
    p = family(random_logits([3, 4, *family.parameters_shape]))
    x = LEVELS[np.random.default_rng(1).integers(256, size=[4, 2, 2, 1])]

    def scores_and_draws(p):
        distribution = family.distribution(p)
        return distribution.log_prob(x), distribution.sample(5, seed=tf.constant([1, 2])), family.mean(p)

    wanted = scores_and_draws(p)
    assert [part.shape for part in wanted] == [(3, 4), (5, 3, 4, 2, 2, 1), (3, 4, 2, 2, 1)]
    for compiled in (tf.function(scores_and_draws), tf.function(scores_and_draws, jit_compile=True)):
        scores, draws, mean = compiled(p)
        np.testing.assert_allclose(scores, wanted[0], rtol=1e-5)
        assert np.all(family.support.contains(draws))
        np.testing.assert_allclose(mean, wanted[2], rtol=1e-5)
    draws = tf.map_fn(
        lambda row: family.distribution(row).sample(seed=tf.constant([1, 2])), p, fn_output_signature=tf.float32
    )
    assert draws.shape == (3, 4, 2, 2, 1)


def test_double_precision():
    keras.config.set_dtype_policy("float64")
    family = GrayLevels((1,))
    p = family.distribution(family(tf.zeros([1, 1, 256], tf.float64)))
    assert float(p.log_prob([[1 / 255]])[0]) == pytest.approx(-np.log(256), rel=1e-12)


def test_config_round_trip():
    family = GrayLevels.from_config(GrayLevels((4, 4, 1)).get_config())
    assert family.parameters_shape == (4, 4, 1, 256)


@pytest.mark.parametrize("shape", [0, (), (28, 0), 1.5])
def test_bad_event_shape_is_refused(shape):
    with pytest.raises(ValueError, match="GrayLevels: event_shape"):
        GrayLevels(shape)
