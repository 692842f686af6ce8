import math

import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.evaluation.likelihood import annealing
from keras_vae.evaluation.likelihood.annealed_importance_sampling import (
    AnnealedLikelihood,
    annealed_importance_sampling,
)
from tests import linear_gaussian
from tests.evaluation import correlated


def biased():
    """The model of the exact posterior, whose encoder is of no use."""
    return correlated.model(kv.families.Normal(correlated.LATENT), 2.0, np.full(2, -3.0))


def test_it_agrees_with_the_exact_value_whatever_the_encoder():
    x = correlated.data(60)
    exact = correlated.marginal().logpdf(x)
    found = annealed_importance_sampling(biased(), x, num_steps=60, num_chains=32, leapfrog_steps=4, verbose=False)
    scores = (found.per_example - exact) / found.sampling_errors
    # Errors from 32 chains are themselves off by 12 % or more, and the deviation of 60 scores is by 9 %.
    assert 0.65 < np.std(scores) < 1.5
    assert np.max(np.abs(scores)) < 5
    assert abs(np.mean(found.per_example - exact)) < 4 * found.sampling_error + 0.01  # below on average, by so much
    assert np.mean(found.sampling_errors) < 0.2
    assert np.mean(found.acceptance_rates) == pytest.approx(0.65, abs=0.1)
    assert not found.warnings()


@pytest.mark.stress
def test_more_temperatures_come_nearer():
    x = correlated.data(120)
    exact = correlated.marginal().logpdf(x)
    errors = []
    for num_steps in (1, 4, 64):
        found = annealed_importance_sampling(
            biased(), x, num_steps=num_steps, num_chains=16, leapfrog_steps=5, verbose=False
        )
        errors.append(np.sqrt(np.mean((found.per_example - exact) ** 2)))
    # The first is prior sampling with 16 samples: 2.0 to 3.6 nats off over three seeds, then 0.34 to 0.41, then 0.18 to
    # 0.20. The root of a mean of 120 squares has a relative standard error near 7 %.
    assert errors[0] > 3 * errors[1]
    assert errors[1] > 1.4 * errors[2]


def test_weights_are_unbiased_at_few_temperatures():
    # Not their logarithm: the mean of p̂/p over many chains is 1, however poor the chains.
    x = np.repeat(correlated.data(4), 50, axis=0)
    exact = correlated.marginal().logpdf(x)
    found = annealed_importance_sampling(biased(), x, num_steps=4, num_chains=32, leapfrog_steps=3, verbose=False)
    ratios = np.exp(found.per_example - exact)
    assert abs(np.mean(ratios) - 1) < 4 * np.std(ratios) / math.sqrt(200)
    assert np.std(ratios) / math.sqrt(200) < 0.03


def test_transitions_leave_their_density_alone():
    beta = 0.3
    vae, x = biased(), correlated.data(1)
    path = annealing.path(vae.infer(tf.constant(x)), 3, from_posterior=False)
    precision = np.eye(2) + beta * correlated.W.T @ correlated.W / correlated.SIGMA**2
    covariance = np.linalg.inv(precision)
    mean = covariance @ correlated.W.T @ (x[0] - correlated.B) * beta / correlated.SIGMA**2
    count = 20_000
    start = np.random.default_rng(0).multivariate_normal(mean, covariance, [count, 1]).astype(np.float32)

    @tf.function
    def move(z):
        for step in range(5):
            # Long steps, many of them refused, so that the choice matters.
            z, accepted = path.move(z, tf.constant(beta), tf.constant([0.85]), tf.constant([step, 1]))
        return z, accepted

    z, accepted = move(tf.constant(start))
    assert 0.3 < np.mean(accepted) < 0.9
    z = z.numpy()[:, 0]
    assert np.mean(np.any(z != start[:, 0], axis=-1)) > 0.9
    # Standard errors: of the mean √(Σ/n), of the variances √(2/n) of them.
    np.testing.assert_allclose(z.mean(0), mean, atol=4 * math.sqrt(covariance.max() / count))
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=4 * math.sqrt(2 / count) * covariance.max())


@pytest.mark.stress
def test_it_may_start_from_the_posterior():
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(20)
    exact = linear_gaussian.marginal().logpdf(x)
    found = annealed_importance_sampling(
        vae, x, num_steps=8, num_chains=16, leapfrog_steps=3, start="posterior", verbose=False
    )
    prior = annealed_importance_sampling(vae, x, num_steps=8, num_chains=16, leapfrog_steps=3, verbose=False)
    assert np.mean(found.sampling_errors) < 0.5 * np.mean(prior.sampling_errors)
    assert abs(np.mean(found.per_example - exact)) < 4 * found.sampling_error + 0.01


@pytest.mark.stress
def test_conditional_models_are_measured_given_y():
    x, y = correlated.data(20), np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    shifted = (x + y * correlated.V).astype(np.float32)
    found = annealed_importance_sampling(
        correlated.conditional_model(), (shifted, y), num_steps=30, num_chains=16, leapfrog_steps=5, verbose=False
    )
    exact = correlated.marginal().logpdf(x)
    assert abs(np.mean(found.per_example - exact)) < 4 * found.sampling_error + 0.02


@pytest.mark.stress
def test_flow_priors_agree_with_importance_sampling():
    vae = kv.models.make("real-nvp-prior", (4,), latent_size=2, hidden=[8])
    x = np.ones([6, 4], np.float32)
    found = annealed_importance_sampling(vae, x, num_steps=20, num_chains=16, leapfrog_steps=4, verbose=False)
    wanted = kv.evaluation.log_likelihood(vae, x, num_samples=5000, verbose=False)
    assert np.all(np.abs(found.per_example - wanted.per_example) < 5 * np.hypot(found.sampling_errors, 0.01))


def test_temperatures_rise_from_0_to_1():
    betas = [float(annealing.temperature(tf.constant(t), tf.constant(10), tf.float32)) for t in range(11)]
    assert betas[0] == pytest.approx(0.0, abs=1e-6)
    assert betas[-1] == pytest.approx(1.0, abs=1e-6)
    assert np.all(np.diff(betas) > 0)
    np.testing.assert_allclose(np.add(betas, betas[::-1]), 1.0, atol=1e-6)


@pytest.mark.stress
def test_seeds_repeat():
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(3)
    first, again, other = (
        annealed_importance_sampling(vae, x, num_steps=3, num_chains=12, leapfrog_steps=2, seed=seed, verbose=False)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.per_example, again.per_example)
    assert not np.array_equal(first.per_example, other.per_example)


@pytest.mark.parametrize("num_steps", [1, pytest.param(np.int64(40), marks=pytest.mark.stress)])
def test_pieces_and_uneven_batches(num_steps, monkeypatch):
    measure = "keras_vae.evaluation.likelihood.annealed_importance_sampling"
    monkeypatch.setattr(f"{measure}.rows_at_once", lambda model: 100)  # six examples at a time
    x = correlated.data(9)
    found = annealed_importance_sampling(
        biased(), x, num_steps=num_steps, num_chains=16, leapfrog_steps=4, batch_size=8, verbose=False
    )
    scores = (found.per_example - correlated.marginal().logpdf(x)) / found.sampling_errors
    assert found.per_example.shape == (9,)
    if num_steps > 1:  # one temperature is prior sampling, whose errors say little
        assert np.max(np.abs(scores)) < 5


def test_bad_arguments_are_refused():
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(3)
    with pytest.raises(ValueError, match="num_chains"):
        annealed_importance_sampling(vae, x, num_steps=3, num_chains=0)
    with pytest.raises(ValueError, match="'prior', 'posterior', received 'encoder'"):
        annealed_importance_sampling(vae, x, start="encoder")
    discrete = kv.models.make("leave-one-out", (4,), latent_size=2, hidden=[4])
    with pytest.raises(ValueError, match="expected a model with real latents, received the one-hot"):
        annealed_importance_sampling(discrete, np.ones([2, 4], np.float32))


def test_it_warns_of_steps_that_did_not_follow():
    values = np.full(4, -80.0)
    found = AnnealedLikelihood(values, 16, np.full(4, 15.0), 100, np.full(4, 0.1))
    assert any("step sizes did not adapt" in warning for warning in found.warnings())
    assert "temperatures" in str(found)
