"""Every estimate of log p(x) on a chain of two groups, whose log p(x) is known exactly."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.evaluation.likelihood import annealing
from tests import linear_gaussian
from tests.linear_chain import data, linear_chain


def test_log_likelihood_with_the_exact_posterior_has_equal_weights():
    vae, marginal, _ = linear_chain(exact=True)
    x = data(marginal, 20)
    found = kv.evaluation.log_likelihood(vae, x, num_samples=20, verbose=False)
    np.testing.assert_allclose(found.per_example, marginal.logpdf(x), atol=1e-3)
    np.testing.assert_allclose(found.effective_samples, 20, rtol=1e-3)


def test_prior_sampling_agrees_within_its_own_errors():
    vae, marginal, _ = linear_chain()
    x = data(marginal, 40)
    found = kv.evaluation.prior_sampling(vae, x, num_samples=50_000, batch_size=10, verbose=False)
    scores = (found.per_example - marginal.logpdf(x)) / found.sampling_errors
    assert np.max(np.abs(scores)) < 5
    assert np.mean(found.sampling_errors) < 0.2


@pytest.mark.parametrize("start", ["prior", "posterior"])
def test_annealing_agrees_within_its_own_errors(start):
    vae, marginal, _ = linear_chain(exact=start == "posterior")
    if start == "posterior":  # a posterior that is wrong, but no wronger than a trained one
        for link in vae.encoder.links.values():
            kernel, bias = link.head.get_weights()
            link.head.set_weights([kernel, bias + 0.4])
    x = data(marginal, 30)
    found = kv.evaluation.annealed_importance_sampling(
        vae, x, num_steps=80, num_chains=16, leapfrog_steps=5, start=start, verbose=False
    )
    scores = (found.per_example - marginal.logpdf(x)) / found.sampling_errors
    assert np.max(np.abs(scores)) < 6  # errors from 16 chains are themselves off by a fifth
    assert abs(found.mean - np.mean(marginal.logpdf(x))) < 4 * found.sampling_error + 0.02
    assert np.mean(found.sampling_errors) < 0.3
    assert np.mean(found.acceptance_rates) == pytest.approx(0.65, abs=0.1)


def test_transitions_leave_the_posterior_alone():
    vae, marginal, _ = linear_chain(exact=True)
    inference = vae.infer(tf.constant(data(marginal, 1)))
    path = annealing.path(inference, 4, from_posterior=False)
    start = inference.groups.flatten(inference.sample(20_000, 1))
    z, accepted = path.move(start, tf.constant(1.0), tf.constant([0.25]), tf.constant([3, 1]))
    assert 0.3 < np.mean(accepted) < 0.98
    assert np.mean(np.any(z != start, axis=-1)) > 0.3
    z, start = z.numpy()[:, 0], start.numpy()[:, 0]
    # Both are 20,000 draws of p(z1, z2|x): a mean is off by 0.007 standard deviations, a covariance by 0.01.
    np.testing.assert_allclose(z.mean(0), start.mean(0), atol=0.05 * start.std(0).max())
    np.testing.assert_allclose(np.cov(z.T), np.cov(start.T), atol=0.05 * start.var(0).max())


def test_bounds_from_both_sides_close_in_on_the_exact_value():
    vae, marginal, _ = linear_chain()
    found = kv.evaluation.bidirectional(
        vae, num_examples=60, num_steps=100, num_chains=8, leapfrog_steps=5, verbose=False
    )
    exact = marginal.logpdf(found.x)
    for distance in (exact - found.lower, found.upper - exact):
        assert -4 * np.std(distance) / np.sqrt(60) < np.mean(distance) < 0.2
    assert found.gap < 0.4


def test_groups_that_are_not_real_are_refused():
    vae = kv.models.make("nvil", (4,), latent_size=2, hidden=[4])
    with pytest.raises(ValueError, match="received the one-hot latents of OneHotCategorical"):
        kv.evaluation.annealed_importance_sampling(vae, np.ones([2, 4], "float32"), verbose=False)


def test_an_estimate_leaves_nothing_on_the_model_and_does_not_keep_it():
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(4)
    before = set(vars(vae))
    kv.evaluation.log_likelihood(vae, x, num_samples=5, verbose=False)
    assert set(vars(vae)) == before
    alive = weakref.ref(vae)
    del vae
    gc.collect()
    assert alive() is None
