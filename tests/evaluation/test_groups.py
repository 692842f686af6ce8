"""Measures of a chain of two groups of latents, against its exact posterior and p(x)."""

import numpy as np
import pytest

import keras_vae as kv
from tests.linear_chain import BOTTOM, DATA, TOP, data, linear_chain


def shifted(by, group):
    """Return the chain whose exact posterior of a group is moved, and its p(x)."""
    vae, marginal, _ = linear_chain(exact=True)
    head = vae.encoder.links[group].head
    kernel, bias = head.get_weights()
    bias[0] += by
    head.set_weights([kernel, bias])
    return vae, marginal


def test_an_exact_posterior_of_two_groups_is_calibrated():
    vae, _, _ = linear_chain(exact=True)
    found = kv.evaluation.simulation_calibration(vae, num_simulations=500, num_draws=19, verbose=False)
    assert found.names == ("z1[0]", "z1[1]", "z1[2]", "z2[0]", "z2[1]", "log p(x, z)")
    assert found.calibrated


def test_the_latent_that_is_wrong_is_named_and_importance_samples_mend_it():
    vae, _ = shifted(0.5, "z2")
    found = kv.evaluation.simulation_calibration(vae, num_simulations=500, num_draws=19, verbose=False)
    verdicts = dict(zip(found.names, found.verdicts, strict=True))
    assert verdicts["z2[0]"] == "biased high"
    assert verdicts["z1[0]"] == verdicts["z2[1]"] == "no fault found"
    mended = kv.evaluation.simulation_calibration(
        vae, num_simulations=500, num_draws=9, importance_samples=2000, verbose=False
    )
    assert mended.calibrated


@pytest.mark.parametrize("kind", ["posterior", "prior"])
def test_replicates_have_the_moments_of_the_data(kind):
    vae, marginal, _ = linear_chain(exact=True)
    found = kv.evaluation.predictive_checks(
        vae, data(marginal, 400), kind=kind, num_replicates=50, seed=1, verbose=False
    )
    place = found.names.index("mean")
    deviation = np.sqrt(marginal.cov.sum()) / DATA
    # Of 400 examples: the mean is off by a twentieth of the deviation, the deviation by a twenty-eighth.
    assert np.mean(found.averages[place]) == pytest.approx(np.mean(found.data_averages[place]), abs=0.25 * deviation)
    assert np.mean(found.spreads[place]) == pytest.approx(deviation, rel=0.15)


@pytest.mark.parametrize("by", [0.0, 0.3])
def test_hidden_values_are_filled_in_by_their_exact_mean(by):
    """For any proposal: q(z1|x) is moved by a third, and Metropolis corrects for it."""
    vae, marginal = shifted(by, "z1")
    x = data(marginal, 30)
    hidden = np.array([True, False, False, True])
    found = kv.evaluation.imputation(vae, x, hidden=hidden, num_chains=10, num_steps=400, verbose=False)
    covariance = marginal.cov
    slope = covariance[np.ix_(hidden, ~hidden)] @ np.linalg.inv(covariance[np.ix_(~hidden, ~hidden)])
    wanted = x[:, ~hidden] @ slope.T
    rest = covariance[np.ix_(hidden, hidden)] - slope @ covariance[np.ix_(~hidden, hidden)]
    # 2,000 correlated draws: errors well below a tenth of the posterior's deviation.
    errors = (found.means[:, hidden] - wanted) / np.sqrt(np.diag(rest))
    assert np.sqrt(np.mean(errors**2)) < 0.1
    assert abs(np.mean(errors)) < 0.05
    assert (np.mean(found.acceptance) > 0.99) == (by == 0.0)
    imputed = kv.evaluation.impute(
        vae, np.where(hidden, np.nan, x), hidden=hidden, num_chains=4, num_steps=8, verbose=False
    )
    assert imputed.draws.shape == (4, 30, DATA)
    np.testing.assert_array_equal(imputed.means[:, ~hidden], x[:, ~hidden])


def test_inference_gaps_of_a_family_over_all_latents():
    vae, marginal, (a, b) = linear_chain(exact=True)
    x = data(marginal, 20)
    found = kv.evaluation.inference_gaps(
        vae, x, family=kv.families.Normal(vae.latents.size), learning_rate=0.01, max_steps=2000, verbose=False
    )
    # By q* where it was ahead in the trial, whose weights vary; by the exact posterior elsewhere.
    off = np.abs(found.log_likelihood.per_example - marginal.logpdf(x))
    assert np.all(off < 5 * found.log_likelihood.sampling_errors + 1e-3)
    np.testing.assert_allclose(found.encoder_bounds, marginal.logpdf(x), atol=1e-2)
    # The precision of p(z1, z2|x) is minus the second derivative of log p(x, z1, z2).
    s, t = 0.5**2, 0.7**2
    precision = np.block([[b.T @ b / t + np.eye(BOTTOM) / s, -a / s], [-a.T / s, np.eye(TOP) + a.T @ a / s]])
    # The best diagonal normal has its diagonal (Bishop 2006, section 10.1.2).
    gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert gap > 0.3
    assert np.mean(found.approximation) == pytest.approx(gap, abs=0.05)
    assert np.mean(found.amortization) == pytest.approx(-gap, abs=0.05)


def test_inference_gaps_ask_for_a_family():
    vae, marginal, _ = linear_chain()
    x = data(marginal, 2)
    with pytest.raises(ValueError, match=r"expected family=, over all 5 latents .* Use family=.*Normal\(5\)"):
        kv.evaluation.inference_gaps(vae, x, verbose=False)
    with pytest.raises(ValueError, match=r"expected \(5,\) latents"):
        kv.evaluation.inference_gaps(vae, x, family=kv.families.Normal(3), verbose=False)


def test_classes_are_read_from_one_group_or_from_all():
    vae, marginal, _ = linear_chain(exact=True)
    x = data(marginal, 200)
    labels = (x[:, 0] > 0).astype(int)
    parts = {"train": (x, labels), "test": (x[:50], labels[:50])}
    both, bottom, top = (
        kv.evaluation.representation(vae, parts["train"], test=parts["test"], group=group, verbose=False)
        for group in (None, "z1", "z2")
    )
    assert [found.num_latents for found in (both, bottom, top)] == [BOTTOM + TOP, BOTTOM, TOP]
    assert bottom.probe_accuracy > 0.8
    with pytest.raises(ValueError, match="representation, train: group is unknown: expected one of 'z1', 'z2'"):
        kv.evaluation.representation(vae, parts["train"], test=parts["test"], group="z3", verbose=False)


def test_disentanglement_names_the_latents_of_the_groups():
    vae, marginal, _ = linear_chain(exact=True)
    x = data(marginal, 400)
    factors = (x[:, :2] > 0).astype(int)
    found = kv.evaluation.disentanglement(vae, (x, factors), metrics=["mig"], verbose=False)
    assert found.latents == ("z1[0]", "z1[1]", "z1[2]", "z2[0]", "z2[1]")
    assert any(name in str(found) for name in found.latents)
    assert found.information.shape == (5, 2)
    alone = kv.evaluation.disentanglement(vae, (x, factors), metrics=["mig"], group="z2", verbose=False)
    np.testing.assert_allclose(alone.information, found.information[3:])


def test_samples_of_two_groups_are_compared_with_images():
    x = (np.random.default_rng(0).random([128, 8, 8, 1]) < 0.5).astype("float32")
    labels = x[:, 0, 0, 0].astype(int)
    features = kv.evaluation.learn_features((x, labels), test=(x, labels), epochs=1, verbose=False)
    vae = kv.models.make("hierarchical", (8, 8, 1), latent_size=2, hidden=[8])
    found = kv.evaluation.sample_quality(vae, x[:64], held_out=x[64:], features=features, verbose=False)
    assert np.isfinite(found.samples.frechet)
    assert found.samples.frechet > 0
