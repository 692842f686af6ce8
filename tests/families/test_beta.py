import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from keras_vae.families.beta import MAX_VALUE, Beta

# Logit of the mean and log(κ/2): ordinary ones, and as far as the family goes.
ORDINARY = [(0.0, 0.0), (-2.0, 1.0), (0.5, -0.5), (0.3, 4.0)]
EXTREME = [(-40.0, 40.0), (40.0, -40.0), (-1e6, -1e6), (1e6, 1e6), (0.0, 40.0)]
# The least and the greatest dequantized pixel, and some between.
VALUES = [2.0**-24, 1e-3, 0.3, 0.5, 0.9, 1 - 2.0**-24]


def parameters(pairs):
    family = Beta((len(pairs),))
    return family, family(tf.constant([pairs], tf.float32))


def exact(pair):
    """The same member of the family, by scipy in double precision."""
    logit, log_half = MAX_VALUE * np.tanh(np.array(pair) / MAX_VALUE)
    mean, kappa = scipy.stats.logistic.cdf(logit), 2 * np.exp(log_half)
    return scipy.stats.beta(mean * kappa, scipy.stats.logistic.sf(logit) * kappa)


@pytest.mark.parametrize("pair", ORDINARY + EXTREME)
@pytest.mark.parametrize("x", VALUES)
def test_log_density_against_scipy(pair, x):
    family, p = parameters([pair])
    found = float(family.distribution(p).log_prob([[x]])[0])
    # Where κ is greatest, terms of up to κ log x = 7e5 nats cancel in float32, of seven digits.
    assert found == pytest.approx(exact(pair).logpdf(x), rel=2e-5, abs=0.05 if pair[1] >= 40 else 1e-4)


@pytest.mark.parametrize("pair", ORDINARY)
def test_total_probability_is_one(pair):
    family, p = parameters([pair])
    # By substitution x = sigmoid(t), which tames the poles at 0 and 1.
    t = np.linspace(-80, 80, 200_001)
    x = scipy.stats.logistic.cdf(t)
    inside = (x > 0) & (x < 1 - 2.0**-24)
    density = np.exp(family.distribution(p).log_prob(x[inside, None, None])[:, 0])
    total = scipy.integrate.trapezoid(density * scipy.stats.logistic.pdf(t[inside]), t[inside])
    # Up to a thousandth lies nearer to 1 than float32 can tell.
    assert total == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("pair", ORDINARY)
@pytest.mark.parametrize("x", [0.01, 0.4, 0.97])
def test_gradient_against_finite_differences_of_scipy(pair, x):
    variable = tf.Variable([[pair]], dtype=tf.float32)
    family = Beta((1,))
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(variable)).log_prob([[x]])
    found = tape.gradient(log_prob, variable)[0, 0]
    h = 1e-5
    wanted = [
        (exact(np.add(pair, step)).logpdf(x) - exact(np.subtract(pair, step)).logpdf(x)) / (2 * h)
        for step in ([h, 0], [0, h])
    ]
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("pair", EXTREME)
def test_gradient_is_finite_at_extreme_values(pair):
    variable = tf.Variable([[pair] * len(VALUES)], dtype=tf.float32)
    family = Beta((len(VALUES),))
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(variable)).log_prob([VALUES])
    assert np.all(np.isfinite(log_prob))
    assert np.all(np.isfinite(tape.gradient(log_prob, variable)))


@pytest.mark.parametrize("pair", ORDINARY + EXTREME)
def test_mean_and_scale_against_scipy(pair):
    family, p = parameters([pair])
    np.testing.assert_allclose(family.mean(p), [[exact(pair).mean()]], rtol=1e-5)
    np.testing.assert_allclose(family.scale(p), [[exact(pair).std()]], rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_samples_against_the_density(jit_compile):
    family, p = parameters(ORDINARY)
    sample = tf.function(lambda: family.distribution(p).sample(2000, seed=tf.constant([1, 2])), jit_compile=jit_compile)
    draws = sample().numpy()
    for i, pair in enumerate(ORDINARY):
        # Level 0.001, seed fixed.
        assert scipy.stats.kstest(draws[:, 0, i].astype(np.float64), exact(pair).cdf).pvalue > 0.001


@pytest.mark.parametrize("pair", EXTREME)
def test_samples_stay_in_the_open_interval(pair):
    family, p = parameters([pair])
    draws = family.distribution(p).sample(500, seed=tf.constant([1, 2]))
    assert np.all(family.support.contains(draws))
    assert np.all(np.isfinite(family.distribution(p).log_prob(draws)))


def test_one_gray_level_is_within_reach():
    family, p = parameters([(0.0, 1e6)])
    assert 0.1 / 255 < float(family.scale(p)[0, 0]) < 1 / 255


def test_leading_axes_and_compilation():
    family = Beta((2, 3))
    p = family(tf.random.stateless_normal([4, 5, *family.parameters_shape], [0, 1]))
    x = tf.random.stateless_uniform([5, 2, 3], [0, 2], 0.01, 0.99)

    def scores_and_draws(p):
        distribution = family.distribution(p)
        return distribution.log_prob(x), distribution.sample(7, seed=tf.constant([1, 2])), family.mean(p)

    wanted = scores_and_draws(p)
    assert [part.shape for part in wanted] == [(4, 5), (7, 4, 5, 2, 3), (4, 5, 2, 3)]
    for compiled in (tf.function(scores_and_draws), tf.function(scores_and_draws, jit_compile=True)):
        scores, draws, mean = compiled(p)
        np.testing.assert_allclose(scores, wanted[0], rtol=1e-4, atol=1e-4)
        assert np.all(family.support.contains(draws))  # other noise than eagerly
        np.testing.assert_allclose(mean, wanted[2], rtol=1e-5)
    draws = tf.map_fn(
        lambda row: family.distribution(row).sample(seed=tf.constant([1, 2])), p, fn_output_signature=tf.float32
    )
    assert draws.shape == (4, 5, 2, 3)


def test_double_precision():
    keras.config.set_dtype_policy("float64")
    family = Beta((1,))
    p = family.distribution(family(tf.constant([[[0.3, 12.0]]], tf.float64)))
    assert float(p.log_prob([[0.55]])[0]) == pytest.approx(exact((0.3, 12.0)).logpdf(0.55), rel=1e-9)
    assert p.sample(seed=tf.constant([1, 2])).dtype == tf.float64


def test_config_round_trip():
    family = Beta.from_config(Beta((4, 4, 1)).get_config())
    assert family.event_shape == (4, 4, 1)
    assert family.parameters_shape == (4, 4, 1, 2)


@pytest.mark.parametrize("shape", [0, -1, (), (28, 0), 1.5, "20"])
def test_bad_event_shape_is_refused(shape):
    with pytest.raises(ValueError, match="Beta: event_shape"):
        Beta(shape)
