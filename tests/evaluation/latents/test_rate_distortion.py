import itertools
import json
import math

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import keras_vae as kv
from keras_vae.evaluation.latents.rate_distortion import rate_distortion
from tests import linear_gaussian

SIGMA = linear_gaussian.SIGMA


def exact_terms(x):
    """Rate, by way of log p(x), and distortion, by matrices, of each x under its exact posterior."""
    w, b = linear_gaussian.weights()
    precision = np.sum(w**2, axis=0) + SIGMA**2
    means = (x - b) @ w / precision
    error = np.sum((x - b - means @ w.T) ** 2, axis=1) + np.sum(w**2 @ (SIGMA**2 / precision))
    distortion = 0.5 * error / SIGMA**2 + 2.5 * np.log(2 * np.pi * SIGMA**2)
    return -linear_gaussian.marginal().logpdf(x) - distortion, distortion


def shifted(by):
    """Return the model with its posterior means moved: q(z) is the prior, moved."""
    model = linear_gaussian.model(exact_posterior=True)
    kernel, bias = model.encoder.head.get_weights()
    bias.reshape(2, 2)[:, 0] += by
    model.encoder.head.set_weights([kernel, bias])
    return model


def test_rate_and_distortion_of_each_example():
    x = linear_gaussian.data(50)
    found = rate_distortion(linear_gaussian.model(exact_posterior=True), x, num_samples=1000, verbose=False)
    rate, distortion = exact_terms(x)
    np.testing.assert_allclose(found.rate_per_example, rate, rtol=1e-3, atol=1e-3)
    # Of 1,000 draws whose standard deviation is about 1.5 nats: 0.05 each, at most four of them among 50.
    np.testing.assert_allclose(found.distortion_per_example, distortion, atol=0.2)
    assert found.elbo == pytest.approx(np.mean(linear_gaussian.marginal().logpdf(x)), abs=0.02)
    np.testing.assert_allclose(found.nats.sum(), found.rate, rtol=1e-5)
    assert found.exact_rate
    assert found.active_units == 2


@pytest.mark.parametrize("by", [0.0, 1.0])
def test_the_split_of_the_rate(by):
    """Over p(x) the exact posteriors add up to the prior; moved by 1 in two latents they are 1 nat away."""
    found = rate_distortion(shifted(by), linear_gaussian.data(2000), num_samples=1, batch_size=500, verbose=False)
    w, _ = linear_gaussian.weights()
    information = 0.5 * np.linalg.slogdet(np.eye(2) + w.T @ w / SIGMA**2)[1]
    # The means of 2,000 x have a standard error of 0.022 in each latent, which a KL of 1 feels √2 times.
    assert found.aggregate_kl == pytest.approx(by**2, abs=0.01 + 0.09 * by)
    assert found.mutual_information == pytest.approx(information, abs=0.05)  # the rate's standard error is 0.016
    assert found.rate == pytest.approx(found.mutual_information + found.aggregate_kl, abs=1e-9)
    assert not any("upper limit" in warning for warning in found.warnings())


def test_fewer_references_take_mutual_information_away_and_never_exceed_their_ceiling():
    x = linear_gaussian.data(1000)
    model = linear_gaussian.model(exact_posterior=True)
    found = [rate_distortion(model, x, num_samples=1, num_references=m, verbose=False) for m in (2, 10, None)]
    information = [each.mutual_information for each in found]
    assert information[0] < math.log(2)
    assert information[0] + 0.3 < information[1] < information[2] - 0.1  # by Jensen's inequality
    assert [each.num_references for each in found] == [2, 10, 1000]


def test_codes_apart_carry_log_n_and_the_ceiling_is_told():
    model = linear_gaussian.model(exact_posterior=True)
    w, _ = linear_gaussian.weights()
    x = (100 * np.arange(10)[:, None] * w[:, 0]).astype(np.float32)
    found = rate_distortion(model, x, num_samples=1, verbose=False)
    assert found.mutual_information == pytest.approx(math.log(10), rel=1e-5)
    assert any("upper limit, log 10 = 2.30 nats" in warning for warning in found.warnings())


def categorical_model():
    """Two categorical latents of three and four binary pixels: all sums have few terms."""
    family = kv.families.OneHotCategorical((2, 3))
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), family),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Bernoulli(4)),
        prior=kv.priors.Uniform(family),
        objective=kv.objectives.ELBO(2, estimator="leave_one_out"),
    )
    rng = np.random.default_rng(3)
    for head in (vae.encoder.head, vae.decoder.head):
        head.set_weights([rng.normal(size=part.shape) for part in head.get_weights()])
    return vae


def test_discrete_latents_by_enumeration():
    model = categorical_model()
    patterns = np.array(list(itertools.product([0, 1], repeat=4)), np.float64)
    (encode, at_zero), (decode, bias) = model.encoder.head.get_weights(), model.decoder.head.get_weights()
    q = scipy.special.softmax((patterns @ encode + at_zero).reshape(16, 2, 3), axis=-1)
    joint = np.einsum("na,nb->nab", q[:, 0], q[:, 1]).reshape(16, 9)
    codes = np.stack([np.eye(3)[list(pair)].ravel() for pair in itertools.product(range(3), repeat=2)])
    ones = scipy.special.expit(codes @ decode + bias)
    log_likelihood = patterns @ np.log(ones).T + (1 - patterns) @ np.log(1 - ones).T
    aggregate = joint.mean(axis=0)
    # 3,200 examples: each pattern 200 times leaves q(z) and the information between x and z as they are.
    found = rate_distortion(
        model, np.tile(patterns, [200, 1]).astype(np.float32), num_samples=5, batch_size=800, verbose=False
    )
    assert found.rate == pytest.approx(np.mean(scipy.special.rel_entr(joint, 1 / 9).sum(1)), rel=1e-4)
    assert found.distortion == pytest.approx(-np.mean(np.sum(joint * log_likelihood, axis=1)), abs=0.05)
    # The standard deviation of log q(z|x)/q(z) is near 1, over √3,200 draws.
    information = np.mean(scipy.special.rel_entr(joint, aggregate).sum(1))
    assert found.mutual_information == pytest.approx(information, abs=0.05)
    assert found.aggregate_kl == pytest.approx(scipy.special.rel_entr(aggregate, 1 / 9).sum(), abs=0.05)
    np.testing.assert_allclose(found.nats, np.mean(scipy.special.rel_entr(q, 1 / 3).sum(-1), axis=0), rtol=1e-4)
    assert found.active_units == 2


def test_a_rate_without_a_closed_form_is_sampled_and_told():
    family = kv.families.Normal(2)
    model = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), family),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
        prior=kv.priors.VampPrior(family, 5, components=1, bounded=False),
    )
    x = linear_gaussian.data(20)
    found = rate_distortion(model, x, num_samples=500, verbose=False)
    posterior = model.encode(x)
    prior = model.encode(model.prior.pseudo_inputs())
    ratio = posterior["scale"] ** 2 / prior["scale"] ** 2
    distance = (posterior["mean"] - prior["mean"]) ** 2 / prior["scale"] ** 2
    wanted = 0.5 * np.sum(ratio + distance - 1 - np.log(ratio), axis=1)
    # log q/p of normals so far apart has a standard deviation below 3 nats, over √10,000 draws.
    assert found.rate == pytest.approx(wanted.mean(), abs=0.1)
    assert not found.exact_rate
    assert found.nats is None
    assert any("mean over 500 samples" in warning for warning in found.warnings())
    assert any("does not factorize" in warning for warning in found.warnings())
    assert "latent 0" not in str(found)
    found.figure()


def test_latents_whose_mean_stays_are_not_active():
    model = linear_gaussian.model(exact_posterior=True)
    kernel, bias = model.encoder.head.get_weights()
    kernel.reshape(5, 2, 2)[:, 1, 0] = 0
    model.encoder.head.set_weights([kernel, bias])
    found = rate_distortion(model, linear_gaussian.data(100), num_samples=1, verbose=False)
    assert found.active.tolist() == [True, False]
    assert found.nats[1] > 0.01  # for its scale and bias: it is inactive all the same


def rescaled(by, prior):
    """The linear model in other units, z' = by · z, under a prior N(0, by²), with one of its two latents collapsed.

    The mean of that one varies by 0.02 prior deviations only, and its scale is the prior's.
    """
    exact = linear_gaussian.model(exact_posterior=True)
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(2)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=SIGMA)),
        prior=prior,
    )
    kernel, bias = (weight.reshape(-1, 2, 2).copy() for weight in exact.encoder.head.get_weights())
    kernel[:, 1, 0] *= 0.02 / np.std(linear_gaussian.data(100) @ kernel[:, 1, 0])
    bias[:, 1] = 0.0
    kernel[..., 0] *= by
    bias[..., 0] *= by
    bias[..., 1] += 2 * np.log(by)
    vae.encoder.head.set_weights([kernel.reshape(5, 4), bias.reshape(4)])
    w, b = exact.decoder.head.get_weights()
    vae.decoder.head.set_weights([w / by, b])
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    return vae


@pytest.mark.parametrize(("by", "split"), [(0.01, True), (100.0, False)])
def test_active_units_do_not_depend_on_the_units_of_the_latents(by, split):
    """A threshold of 0.01 on the variance called all latents inactive in the small units, and active in the large."""
    family = kv.families.Normal(2) if split else kv.families.FullNormal(2)
    prior = kv.priors.Learned(family, initializer="zeros")
    # Of FullNormal: two locs, then log σ, a coupling and log σ, as `fill_triangular` reads them.
    values = [[0.0, 2 * np.log(by)]] * 2 if split else [0.0, 0.0, np.log(by), 0.0, np.log(by)]
    prior.values.assign(np.asarray(values, np.float32))
    np.testing.assert_allclose(prior.distribution().stddev(), by, rtol=1e-4)
    x = linear_gaussian.data(100)
    vae = rescaled(by, prior)
    found = rate_distortion(vae, x, num_samples=1, verbose=False)
    assert (found.nats is not None) == split
    assert found.active.tolist() == [True, False], found.nats
    variance = kv.latent.activity(vae, x)
    assert np.all(variance > 0.01) if by > 1 else np.all(variance < 0.01)  # on these scales it tells nothing
    monitor = kv.training.Monitor(x)
    vae.fit(x, verbose=0, callbacks=[monitor])
    assert monitor.history[0]["active_units"] == 1


def test_the_prior_says_whether_it_is_the_standard_normal():
    assert tuple(kv.priors.StandardNormal(2).standard_normal) == tuple(kv.priors.StandardNormal(2).groups)
    assert not kv.priors.Learned(kv.families.Normal(2)).standard_normal
    chains = [
        kv.priors.Chain({"z2": first, "z1": kv.Decoder(kv.networks.MLP(), kv.families.Normal(3))})
        for first in (kv.priors.StandardNormal(2), kv.priors.Learned(kv.families.Normal(2)))
    ]
    assert [list(chain.standard_normal) for chain in chains] == [["z2"], []]


def test_active_units_of_discrete_latents_are_unknown_where_their_nats_are(tmp_path):
    family = kv.families.OneHotCategorical((2, 3))
    model = kv.VAE(
        kv.Encoder(kv.networks.MLP(), family),
        kv.Decoder(kv.networks.MLP(), kv.families.Bernoulli(4)),
        prior=kv.priors.Autoregressive(kv.families.OneHotCategorical((2, 3))),
        objective=kv.objectives.ELBO(2, estimator="leave_one_out"),
    )
    found = rate_distortion(model, np.eye(4, dtype=np.float32), verbose=False)
    assert found.active is None
    assert found.active_units is None
    assert ["active", "units", "–"] in [line.split() for line in str(found).splitlines()]
    found.save(tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text())["active"] is None
    found.figure()


def test_the_information_of_a_few_examples_is_below_its_ceiling():
    model, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(2)
    for seed in range(6):
        found = rate_distortion(model, x, num_samples=1, seed=seed, verbose=False)
        assert found.mutual_information <= math.log(2) + 1e-6


def conditional(prior=None):
    return kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP(), kv.families.Normal(1)),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
        prior=prior,
        condition=kv.conditions.Label(2),
    )


def test_conditional_models_are_split_under_one_prior_only():
    model = conditional()
    # The posterior is N(±50, 1) by the label alone.
    kernel = np.zeros([7, 2])
    kernel[5:, 0] = [-50, 50]
    model.encoder.head.set_weights([kernel, np.zeros(2)])
    x, labels = linear_gaussian.data(40), np.arange(40) % 2
    found = rate_distortion(model, (x, labels), num_samples=1, verbose=False)
    assert found.rate == pytest.approx(0.5 * 50**2)
    assert found.mutual_information == pytest.approx(math.log(2), rel=1e-4)
    own_prior = conditional(kv.ConditionalPrior(kv.networks.MLP(), kv.families.Normal(1)))
    found = rate_distortion(own_prior, (x, labels), num_samples=1, verbose=False)
    assert found.mutual_information is None
    assert found.aggregate_kl is None
    assert any("prior depends on the condition" in warning for warning in found.warnings())
    assert "mutual information" not in str(found)
    found.figure()


def test_seeds_and_datasets():
    model, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(25)
    batches = tf.data.Dataset.from_tensor_slices((x, np.arange(25))).batch(10)
    first = rate_distortion(model, batches, verbose=False)
    again = rate_distortion(model, x, batch_size=10, verbose=False)
    other = rate_distortion(model, x, batch_size=10, seed=1, verbose=False)
    np.testing.assert_array_equal(first.distortion_per_example, again.distortion_per_example)
    assert first.mutual_information == again.mutual_information
    assert not np.array_equal(first.distortion_per_example, other.distortion_per_example)


def test_what_is_printed_and_saved(tmp_path):
    found = rate_distortion(categorical_model(), np.eye(4, dtype=np.float32), verbose=False)
    found.save(tmp_path / "found.json")
    saved = json.loads((tmp_path / "found.json").read_text())
    assert saved["rate"] == pytest.approx(found.rate)
    assert saved["aggregate_kl"] == pytest.approx(found.rate - saved["mutual_information"])
    assert len(saved["distortion_per_example"]) == 4
    lines = str(found).splitlines()
    assert lines[0] == "Rate and distortion"
    assert any(line.split()[:2] == ["rate", f"{found.rate:.2f}"] for line in lines)
    assert "2 of 2" in str(found)
    found.plot(tmp_path / "found.png")
    assert (tmp_path / "found.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 0}, "num_samples: expected a positive integer, received 0"),
        ({"num_references": -1}, "num_references: expected a positive integer, received -1"),
        ({"num_references": 1}, "num_references is too small: expected 2 or more"),
        ({"data": linear_gaussian.data(1)}, "too few examples: expected 2 or more, received 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    model = linear_gaussian.model(exact_posterior=True)
    with pytest.raises(ValueError, match=message):
        rate_distortion(model, arguments.pop("data", linear_gaussian.data(4)), verbose=False, **arguments)
