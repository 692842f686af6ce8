import itertools

import numpy as np
import pytest
import scipy.special

import keras_vae as kv
from keras_vae.evaluation.likelihood.prior_sampling import PriorSampling, prior_sampling
from tests import linear_gaussian
from tests.evaluation import correlated


def test_it_agrees_with_the_exact_value_within_its_own_errors():
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(40)
    found = prior_sampling(vae, x, num_samples=20_000, batch_size=10, verbose=False)
    scores = (found.per_example - linear_gaussian.marginal().logpdf(x)) / found.sampling_errors
    # Four batches share their samples within, so a score of 4 may come more than once by chance; 5 may not.
    assert np.max(np.abs(scores)) < 5
    assert np.mean(found.sampling_errors) < 0.05


def test_the_mean_moves_between_seeds_by_no_more_than_it_says():
    # Batches of one x, five times: its samples are shared, all five estimates move together, and each batch is a seed.
    x = np.repeat(linear_gaussian.data(1), 5 * 100, axis=0)
    found = prior_sampling(linear_gaussian.model(exact_posterior=True), x, num_samples=500, batch_size=5, verbose=False)
    each = found.per_example.reshape(100, 5)
    assert np.ptp(each, axis=1).max() < 1e-4
    # Of 100 batches the deviation is known to 7 %; errors are those of a few effective samples.
    assert np.std(each[:, 0]) == pytest.approx(found.sampling_error, rel=0.3)


def test_it_is_far_worse_than_the_posterior_with_as_many_samples():
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(40)
    prior = prior_sampling(vae, x, num_samples=100, verbose=False)
    np.testing.assert_array_equal(prior.per_example, prior_sampling(vae, x, num_samples=100, verbose=False).per_example)
    posterior = kv.evaluation.log_likelihood(vae, x, num_samples=100, verbose=False)
    assert np.mean(prior.sampling_errors) > 3 * np.mean(posterior.sampling_errors)
    assert np.mean(prior.effective_samples) < 0.5 * np.mean(posterior.effective_samples)


def test_discrete_latents_agree_with_the_sum_over_all_of_them():
    family = kv.families.Bernoulli(3)
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), family),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(2, scale=0.5)),
        prior=kv.priors.Uniform(family),
        objective=kv.objectives.ELBO(estimator="leave_one_out", num_samples=2),
        seed=0,
    )
    x = np.array([[0.5, -0.2], [1.5, 0.7]], np.float32)
    kernel, bias = (np.asarray(weight) for weight in vae.decoder.head.get_weights())
    z = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
    residual = (x[:, None] - (z @ kernel + bias)) / 0.5
    log_joint = -0.5 * np.sum(residual**2, -1) - np.log(2 * np.pi * 0.25) - np.log(8)
    exact = scipy.special.logsumexp(log_joint, axis=1)
    found = prior_sampling(vae, x, num_samples=5000, verbose=False)
    assert np.all(np.abs(found.per_example - exact) < 4 * found.sampling_errors)
    assert np.all(found.sampling_errors < 0.05)


def test_conditional_models_are_measured_given_y():
    x, y = correlated.data(20), np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    shifted = (x + y * correlated.V).astype(np.float32)
    found = prior_sampling(correlated.conditional_model(), (shifted, y), num_samples=5000, verbose=False)
    scores = (found.per_example - correlated.marginal().logpdf(x)) / found.sampling_errors
    assert np.max(np.abs(scores)) < 4.5
    assert abs(np.mean(scores)) < 4 / np.sqrt(20)


@pytest.mark.stress
def test_priors_given_y_are_sampled_given_y():
    vae = kv.models.make("cvae-prior", (4,), latent_size=2, classes=3, hidden=[8])
    x, y = np.ones([6, 4], np.float32), np.array([0, 1, 2, 0, 1, 2])
    found = prior_sampling(vae, (x, y), num_samples=2000, verbose=False)
    wanted = kv.evaluation.log_likelihood(vae, (x, y), num_samples=2000, verbose=False)
    errors = np.hypot(found.sampling_errors, wanted.sampling_errors)
    assert np.all(np.abs(found.per_example - wanted.per_example) < 5 * errors + 1e-3)


def test_a_lone_sample_is_warned_of():
    lone = PriorSampling(np.full(5, -80.0), 50, np.full(5, 1.2))
    assert any("one sample" in warning for warning in lone.warnings())
    with pytest.raises(ValueError, match="num_samples"):
        prior_sampling(linear_gaussian.model(exact_posterior=True), linear_gaussian.data(5), num_samples=0)
