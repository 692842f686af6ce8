import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from keras_vae.families import Normal


@pytest.mark.parametrize("log_variance", [-20.0, -1.0, 0.0, 3.0])
def test_predicted_scale_against_scipy(log_variance):
    family = Normal((2,))
    p = family.distribution(family(tf.constant([[[0.5, log_variance], [-1.0, log_variance]]])))
    sd = np.exp(0.5 * log_variance)
    x = np.array([0.5 + sd, -1.0 - 2 * sd])
    wanted = scipy.stats.norm([0.5, -1.0], sd).logpdf(x).sum()
    # x − loc loses digits in float32 when the scale is small beside loc.
    assert float(p.log_prob(tf.constant(x[None], tf.float32))[0]) == pytest.approx(wanted, rel=1e-5, abs=0.02)


def test_fixed_and_learned_scale():
    x = tf.constant([[0.3, -0.2]])
    fixed = Normal((2,), scale=0.5)
    wanted = scipy.stats.norm(0, 0.5).logpdf([0.3, -0.2]).sum()
    parameters = fixed(tf.zeros([1, 2, 1]))
    assert float(fixed.distribution(parameters).log_prob(x)[0]) == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(fixed.scale(parameters), [[0.5, 0.5]])
    assert not fixed.trainable_variables

    learned = Normal((2,), scale="learned")
    learned.log_scale.assign(np.log(0.5))
    parameters = learned(tf.zeros([1, 2, 1]))
    assert float(learned.distribution(parameters).log_prob(x)[0]) == pytest.approx(wanted, rel=1e-6)
    assert len(learned.trainable_variables) == 1


def test_learned_scale_reaches_the_maximum_likelihood_estimate():
    # The best single σ for residuals r is √mean(r²).
    family = Normal((4,), scale="learned")
    x = np.random.default_rng(0).normal(scale=0.3, size=[500, 4]).astype(np.float32)
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(family.distribution(family(tf.zeros([500, 4, 1]))).log_prob(x))
        family.log_scale.assign_sub(0.05 * tape.gradient(loss, family.log_scale.value))
    assert np.exp(float(family.log_scale)) == pytest.approx(np.sqrt(np.mean(x**2)), rel=1e-4)


def test_absurd_log_variances_stay_finite():
    family = Normal((1,))
    p = family.distribution(family(tf.constant([[[0.0, -1e9]], [[0.0, 1e9]]])))
    assert np.all(np.isfinite(p.log_prob([[0.0], [0.0]])))


def test_samples_against_the_density():
    family = Normal((1,))
    p = family.distribution(family(tf.constant([[[2.0, np.log(0.25)]]])))
    draws = p.sample(2000, seed=tf.constant([1, 2])).numpy().ravel()
    assert scipy.stats.kstest(draws, scipy.stats.norm(2.0, 0.5).cdf).pvalue > 0.001  # level 0.001, seed fixed


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), "fixed", None, True])
def test_bad_scale_is_refused(scale):
    with pytest.raises(ValueError, match="expected scale"):
        Normal(2, scale=scale)


@pytest.mark.parametrize("shape", [0, -1, (), (28, 0), 1.5, "20", True])
def test_bad_event_shape_is_refused(shape):
    with pytest.raises(ValueError, match="event_shape"):
        Normal(shape)
