import json

import numpy as np
import pytest
import scipy.stats

import keras_vae as kv
from keras_vae.evaluation.missing import imputation_chains
from keras_vae.evaluation.missing.imputation import Imputation, imputation
from keras_vae.evaluation.missing.imputer import impute
from tests import linear_gaussian
from tests.evaluation import labeled

HIDDEN = np.array([True, False, True, False, False])


def conditional(x):
    """Mean of the hidden values given the others, `[n, 2]`, and their covariance, by scipy's marginal."""
    normal = linear_gaussian.marginal()
    seen = ~HIDDEN
    slope = normal.cov[np.ix_(HIDDEN, seen)] @ np.linalg.inv(normal.cov[np.ix_(seen, seen)])
    mean = normal.mean[HIDDEN] + (x[:, seen] - normal.mean[seen]) @ slope.T
    return mean, normal.cov[np.ix_(HIDDEN, HIDDEN)] - slope @ normal.cov[np.ix_(seen, HIDDEN)]


def errors(found, x):
    """Distances of mean and covariance of the hidden values from the exact ones, in standard errors or shares."""
    mean, covariance = conditional(x)
    draws = found.draws[:, :, HIDDEN]
    deviation = np.sqrt(np.diag(covariance))
    of_mean = np.abs(draws.mean(axis=0) - mean) / deviation * np.sqrt(len(draws))
    sampled = np.mean([np.cov(draws[:, i].T) for i in range(len(x))], axis=0)
    return of_mean.max(), np.abs(sampled - covariance).max() / covariance.max()


def test_metropolis_is_exact_whatever_the_posterior():
    x = linear_gaussian.data(4)
    vae = linear_gaussian.model(exact_posterior=False)
    found = impute(vae, x, hidden=HIDDEN, num_chains=3000, num_steps=60, verbose=False)
    of_mean, of_covariance = errors(found, x)
    assert of_mean < 4  # eight means of 3,000 independent draws
    assert of_covariance < 0.08  # entries known to 0.026 from one example, and four are averaged
    np.testing.assert_allclose(found.means[:, HIDDEN], conditional(x)[0], atol=0.04)
    assert np.all((found.acceptance > 0.4) & (found.acceptance < 0.95))
    np.testing.assert_array_equal(found.means[:, ~HIDDEN], x[:, ~HIDDEN])
    np.testing.assert_array_equal(found.draws[:, :, ~HIDDEN], np.broadcast_to(x, (3000, 4, 5))[:, :, ~HIDDEN])


def test_pseudo_gibbs_is_exact_with_the_exact_posterior_alone():
    x = linear_gaussian.data(4)
    right, wrong = (
        impute(
            linear_gaussian.model(exact), x, hidden=HIDDEN, method="gibbs", num_chains=3000, num_steps=60, verbose=False
        )
        for exact in (True, False)
    )
    assert errors(right, x)[0] < 4
    assert errors(right, x)[1] < 0.08
    assert errors(wrong, x)[0] > 10
    np.testing.assert_array_equal(right.acceptance, 1)


def test_the_measure_is_that_of_the_exact_conditional(tmp_path):
    x = linear_gaussian.data(60)
    vae = linear_gaussian.model(exact_posterior=False)
    found = imputation(vae, x, hidden=HIDDEN, num_chains=40, num_steps=100, verbose=False)
    mean, covariance = conditional(x)
    true = x[:, HIDDEN]
    assert found.rmse == pytest.approx(np.sqrt(np.mean((true - mean) ** 2)), rel=0.02)
    log_densities = scipy.stats.norm.logpdf(true, mean, np.sqrt(np.diag(covariance)))
    # Over six seeds each has a standard deviation of about 0.06; values far out take more draws.
    assert np.sqrt(np.mean((found.nats + log_densities.sum(axis=1)) ** 2)) < 0.1
    assert found.nats_per_part == pytest.approx(-log_densities.mean(), abs=0.02)
    assert found.baseline_rmse == pytest.approx(np.std(true - true.mean(axis=0)), rel=1e-4)
    np.testing.assert_array_equal(found.hidden_parts, 2)
    found.plot(tmp_path / "points.png")


def test_a_conditional_model_is_given_y():
    y = np.array([0, 1, 1])
    x = linear_gaussian.data(3)
    shift = labeled.SHIFT[y].astype(np.float32)
    vae = labeled.model()
    found = impute(
        vae, x + shift, hidden=HIDDEN, condition=y, num_chains=500, num_steps=40, batch_size=2, verbose=False
    )
    np.testing.assert_allclose((found.means - shift)[:, HIDDEN], conditional(x)[0], atol=0.07)


def test_discrete_latents_and_binary_pixels_by_enumeration():
    """Three categories: p(x_hidden|x_observed) is a sum of three terms."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=[3, 6])
    family = kv.families.GumbelSoftmax((1, 3))
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP(), family),
        kv.Decoder(kv.networks.MLP(), kv.families.Bernoulli(6)),
        kv.priors.Uniform(kv.families.OneHotCategorical((1, 3))),
    )
    vae.encoder.head.set_weights([rng.normal(size=part.shape) for part in vae.encoder.head.get_weights()])
    vae.decoder.head.set_weights([logits, np.zeros(6)])
    x = (rng.random([20, 6]) < 0.5).astype(np.float32)
    hidden = rng.random([20, 6]) < 0.5
    lit = 1 / (1 + np.exp(-logits))
    each = np.where(x[:, None] > 0.5, lit, 1 - lit)  # [example, category, pixel]
    weights = np.prod(np.where(hidden[:, None], 1, each), axis=2)
    wanted = (weights / weights.sum(axis=1, keepdims=True)) @ lit
    found = imputation(vae, x, hidden=hidden, num_chains=100, num_steps=100, verbose=False)
    # 5,000 dependent draws of probabilities that differ by up to 1.
    np.testing.assert_allclose(found.means[hidden], wanted[hidden], atol=0.06)
    nats = -np.log(np.where(x > 0.5, wanted, 1 - wanted))[hidden].mean()
    assert found.nats_per_part == pytest.approx(nats, abs=0.02)
    figures = found._figures()
    assert figures["accuracy"][0][0] == np.mean((found.means > 0.5)[hidden] == (x > 0.5)[hidden])


def test_hidden_values_are_not_read():
    x = linear_gaussian.data(6)
    other = np.where(HIDDEN, np.float32(np.nan), x)
    vae = linear_gaussian.model(exact_posterior=False)
    filled = impute(vae, other, hidden=HIDDEN, num_chains=3, num_steps=8, verbose=False)
    for data in (x, np.where(HIDDEN, np.float32(9), x)):
        scored = imputation(vae, data, hidden=HIDDEN, num_chains=3, num_steps=8, verbose=False)
        np.testing.assert_array_equal(scored.means, filled.means)
    with pytest.raises(ValueError, match="nan"):
        impute(vae, np.where(HIDDEN, x, np.float32(np.nan)), hidden=HIDDEN, verbose=False)  # visible


def test_chains_in_pieces_and_batches(monkeypatch):
    x = linear_gaussian.data(25)
    vae = linear_gaussian.model(exact_posterior=False)
    monkeypatch.setattr(imputation_chains, "rows_at_once", lambda model: 85)  # eight chains of ten examples at once
    found = imputation(vae, x, hidden=HIDDEN, num_chains=18, num_steps=100, batch_size=10, verbose=False)
    np.testing.assert_allclose(found.means[:, HIDDEN], conditional(x)[0], atol=0.25)  # 900 dependent draws
    log_densities = scipy.stats.norm.logpdf(x[:, HIDDEN], conditional(x)[0], np.sqrt(np.diag(conditional(x)[1])))
    assert found.nats_per_part == pytest.approx(-log_densities.mean(), abs=0.05)
    assert np.all((found.acceptance > 0.4) & (found.acceptance < 0.95))
    imputed = impute(vae, x[:10], hidden=HIDDEN, num_chains=18, num_steps=4, verbose=False)
    assert imputed.draws.shape == (18, 10, 5)
    assert len(np.unique(imputed.draws[:, 0, 0])) == 18  # no two pieces share their noise


def test_colors_that_go_together(tmp_path):
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP(), kv.families.Normal(2)),
        kv.Decoder(kv.networks.MLP(), kv.families.DiscretizedLogisticMixture((4, 4, 3), components=2)),
    )
    assert vae.observed_family.joint_axes() == 1
    x = np.random.default_rng(0).integers(256, size=[3, 4, 4, 3]).astype(np.float32) / 255
    found = imputation(vae, x, hidden="left", num_chains=2, num_steps=4, verbose=False)
    np.testing.assert_array_equal(found.hidden_parts, 8)  # pixels
    assert "nats per hidden pixel" in str(found)
    # A fresh decoder's mixture is about as broad as the range: log 256 nats a value.
    assert found.nats_per_part == pytest.approx(3 * np.log(256), rel=0.15)
    found.plot(tmp_path / "imputed.png")
    with pytest.raises(ValueError, match="whole pixels"):
        imputation(vae, x, hidden=np.arange(48).reshape(4, 4, 3) % 2 == 0, verbose=False)


def test_errors_by_hand():
    x = np.array([[1, 0, 1], [1, 1, 0]], np.float32)
    hidden = np.array([[1, 1, 0], [0, 0, 1]], bool)
    means = np.where(hidden, np.float32([[0.9, 0.6, 0], [0, 0, 0.2]]), x)
    result = Imputation(
        "metropolis",
        20,
        True,
        x,
        hidden,
        means,
        np.array([0.5, 0.5, 1.0]),
        np.array([0.5, 0.49]),
        np.ones(2),
        np.array([2, 1]),
    )
    assert result.rmse == pytest.approx(np.sqrt((0.1**2 + 0.6**2 + 0.2**2) / 3))
    assert result.baseline_rmse == pytest.approx(np.sqrt((0.5**2 + 0.5**2 + 1) / 3))
    figures = result._figures()
    assert figures["accuracy"][0][0] == pytest.approx(2 / 3)
    # One in two lit counts as (2 · ½ + ½)/3 = ½, always lit as 2.5/3.
    wanted = -(np.log(0.5) + np.log(0.5) + np.log(1 - 2.5 / 3)) / 3
    assert figures["nats per hidden value"][1][0] == pytest.approx(wanted)
    assert "1 of 2 examples" in result.warnings()[0]  # 4.9 of ten steps


def test_it_prints_draws_and_saves(tmp_path, binary_images):
    vae = kv.models.vae((8, 8, 1), latent_size=2, hidden=[8])
    found = imputation(
        vae, binary_images[:12], hidden="right", method="gibbs", num_chains=2, num_steps=4, verbose=False
    )
    assert "accuracy" in str(found)
    assert "pseudo-Gibbs" in str(found)
    found.plot(tmp_path / "images.png")
    found.save(tmp_path / "imputation.json")
    saved = json.loads((tmp_path / "imputation.json").read_text())
    assert "means" not in saved
    assert saved["figures"]["root mean squared error"][0][0] == pytest.approx(found.rmse)


def test_one_example_is_no_baseline_of_itself():
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(1)
    found = imputation(vae, x, num_steps=4, verbose=False)
    assert "single example itself" in found.warnings()[0]
    fair = imputation(vae, x, num_steps=4, baseline=linear_gaussian.weights()[1], verbose=False)
    assert fair.baseline_rmse > 0
    assert not any("single example itself" in warning for warning in fair.warnings())


def test_bad_arguments_are_refused():
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(3)
    for bad, match in (
        ({"method": "exact"}, "'metropolis' or 'gibbs'"),
        ({"num_chains": 0}, "num_chains"),
        ({"num_steps": 3}, "num_steps is too small: expected 4 or more"),
        ({"baseline": np.zeros(4)}, "baseline"),
        ({"hidden": np.ones([4, 5], bool)}, "expected 3 masks, received 4"),
    ):
        with pytest.raises(ValueError, match=match):
            imputation(vae, x, verbose=False, **{"num_steps": 4, **bad})
    with pytest.raises(ValueError, match="expected 3 masks, received 2"):
        impute(vae, x, hidden=np.ones([2, 5], bool), verbose=False)
    with pytest.raises(ValueError, match=r"wrong shape: .*received \(5,\)"):
        impute(vae, x[0], hidden=HIDDEN, verbose=False)
    with pytest.raises(ValueError, match="has no condition"):
        impute(vae, x, hidden=HIDDEN, condition=0, verbose=False)
    entangled = kv.VAE(
        kv.Encoder(kv.networks.MLP(), kv.families.Normal(1)),
        kv.Decoder(kv.networks.MLP(), kv.families.FullNormal(3)),
    )
    with pytest.raises(ValueError, match="factorizes"):
        imputation(entangled, x[:, :3])
