import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from keras_vae.families import ContinuousBernoulli
from keras_vae.families.continuous_bernoulli import MAX_LOGIT

# Unconstrained values whose λ is ordinary, near ½ and as near to 0 and 1 as the family goes.
VALUES = [-40.0, -5.0, -1.0, -1e-3, -4e-6, 0.0, 4e-6, 1e-3, 0.5, 3.0, 40.0]


def parameters(values):
    family = ContinuousBernoulli((len(values),))
    return family, family(tf.constant(values, tf.float32)[None, :, None])


def logit(value):
    return MAX_LOGIT * np.tanh(value / MAX_LOGIT)


def exact_log_density(x, eta):
    """η x − log ∫₀¹ exp(η t) dt, the integral by quadrature."""
    integral, _ = scipy.integrate.quad(lambda t: np.exp(eta * (t - (eta > 0))), 0, 1, epsabs=1e-13)
    return eta * (x - (eta > 0)) - np.log(integral)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("x", [0.0, 0.2, 0.5, 1.0])
def test_log_density_against_quadrature(value, x):
    family, p = parameters([value])
    found = float(family.distribution(p).log_prob([[x]])[0])
    assert found == pytest.approx(exact_log_density(x, logit(value)), rel=2e-5, abs=2e-6)


@pytest.mark.parametrize("value", VALUES)
def test_gradient_against_finite_differences_of_the_quadrature(value):
    variable = tf.Variable([[[value]]], dtype=tf.float32)
    family = ContinuousBernoulli((1,))
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(variable)).log_prob([[0.3]])
    found = float(tape.gradient(log_prob, variable)[0, 0, 0])
    h = 1e-4
    wanted = (exact_log_density(0.3, logit(value + h)) - exact_log_density(0.3, logit(value - h))) / (2 * h)
    # float32, and a series near λ = ½.
    assert found == pytest.approx(wanted, rel=1e-3, abs=3e-4)


@pytest.mark.parametrize("value", VALUES)
def test_mean_against_quadrature(value):
    family, p = parameters([value])
    wanted, _ = scipy.integrate.quad(lambda t: t * np.exp(exact_log_density(t, logit(value))), 0, 1)
    assert float(family.mean(p)[0, 0]) == pytest.approx(wanted, abs=2e-5)


def test_lambda_stays_within_the_papers_limits():
    _, p = parameters([-1e6, 1e6])
    np.testing.assert_allclose(tf.sigmoid(p["logits"][0]), [1e-4, 1 - 1e-4], rtol=1e-3)


@pytest.mark.parametrize("value", [-3.0, 0.0, 1.0])
def test_samples_against_the_density(value):
    family, p = parameters([value])
    draws = family.distribution(p).sample(2000, seed=tf.constant([1, 2])).numpy().ravel()
    eta = logit(value)
    cdf = (lambda x: np.expm1(eta * x) / np.expm1(eta)) if eta else (lambda x: x)
    # Level 0.001, seed fixed.
    assert scipy.stats.kstest(draws, cdf).pvalue > 0.001
