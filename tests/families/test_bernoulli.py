import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from keras_vae.families import Bernoulli


def distribution(logits):
    family = Bernoulli((len(logits),))
    return family, family(tf.constant(logits, tf.float32)[None, :, None])


@pytest.mark.parametrize("x", [0.0, 1.0])
def test_log_prob_against_scipy(x):
    logits = np.array([-40.0, -3.0, 0.0, 1e-6, 2.0, 40.0])
    for logit in logits:
        family, parameters = distribution([logit])
        found = float(family.distribution(parameters).log_prob([[x]])[0])
        # scipy in double precision: log ρ and log(1 − ρ) without cancellation.
        wanted = -np.logaddexp(0, -logit if x else logit)
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-12)
        if abs(logit) < 10:
            assert found == pytest.approx(scipy.stats.bernoulli(1 / (1 + np.exp(-logit))).logpmf(x), rel=1e-5)


def test_event_sums_its_elements_and_probabilities_sum_to_one():
    family, parameters = distribution([-1.0, 0.3, 2.0])
    outcomes = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, 8).T.astype(np.float32)
    log_prob = family.distribution(parameters).log_prob(outcomes[:, None, :])
    assert log_prob.shape == (8, 1)
    assert float(tf.reduce_sum(tf.exp(log_prob))) == pytest.approx(1, abs=1e-6)


def test_gradient_is_finite_and_right_at_extreme_logits():
    logits = tf.Variable([[-40.0, 0.0, 40.0]])
    family = Bernoulli((3,))
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(logits[..., None])).log_prob([[1.0, 1.0, 0.0]])
    # d log ρ / d logit = 1 − ρ; d log(1 − ρ) / d logit = −ρ.
    np.testing.assert_allclose(tape.gradient(log_prob, logits), [[1.0, 0.5, -1.0]], rtol=1e-6)


def test_mean_and_samples():
    family, parameters = distribution([-1.0, 0.0, 2.0])
    rho = 1 / (1 + np.exp([1.0, 0.0, -2.0]))
    np.testing.assert_allclose(family.mean(parameters)[0], rho, rtol=1e-6)
    draws = family.distribution(parameters).sample(4000, seed=tf.constant([1, 2]))[:, 0]
    # Five standard errors of a frequency: the seed is fixed, so the test is deterministic.
    assert np.all(np.abs(np.mean(draws, 0) - rho) < 5 * np.sqrt(rho * (1 - rho) / 4000))
