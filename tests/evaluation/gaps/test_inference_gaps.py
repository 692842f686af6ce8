import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.evaluation.gaps.inference_gaps import inference_gaps
from keras_vae.evaluation.gaps.local_posterior import LocalOptimizer, LocalPosteriors, starting_values
from keras_vae.evaluation.likelihood.log_likelihood import LogLikelihood
from tests import linear_gaussian
from tests.evaluation import correlated

# The best diagonal normal's log-variances, and the encoder's: off by 0.3 in mean and 0.5 in log-variance.
BEST = -np.log(np.diag(correlated.PRECISION))
LOC_OFF, LOG_OFF = 0.3, 0.5
QUICK = {"learning_rate": 0.02, "patience": 3, "verbose": False}


def displaced(count, **options):
    vae = correlated.model(kv.families.Normal(correlated.LATENT), LOC_OFF, BEST + LOG_OFF)
    return inference_gaps(vae, correlated.data(count), num_samples=2000, **(QUICK | options))


@pytest.fixture(scope="module")
def found():
    return displaced(20)


def within(found, wanted, errors, slack):
    """Whether the mean is as wanted, up to 4 of its standard errors and what the search may leave."""
    return abs(np.mean(found) - wanted) < 4 * np.sqrt(np.sum(errors**2)) / len(errors) + slack


def test_gaps_of_a_displaced_diagonal_posterior_have_their_closed_form(found):
    family_gap = correlated.kl(np.zeros(2), np.diag(np.exp(BEST)))
    encoder_gap = correlated.kl(np.full(2, LOC_OFF), np.diag(np.exp(BEST + LOG_OFF)))
    assert family_gap > 0.1
    assert encoder_gap - family_gap > 0.1
    assert found.settled.all()
    # Less than a rise of 0.01 is none; and q* is the mean of noisy steps.
    assert within(found.approximation, family_gap, found.approximation_errors, 0.02)
    assert within(found.amortization, encoder_gap - family_gap, found.amortization_errors, 0.02)
    exact = correlated.marginal().logpdf(correlated.data(20))
    assert within(found.log_likelihood.per_example - exact, 0.0, found.log_likelihood.sampling_errors, 0.001)
    np.testing.assert_allclose(found.total, found.approximation + found.amortization, atol=1e-4)
    assert not found.warnings()


def test_an_exact_encoder_has_no_gap():
    vae = linear_gaussian.model(exact_posterior=True)
    found = inference_gaps(vae, linear_gaussian.data(10), num_samples=50, **QUICK)
    np.testing.assert_allclose(found.approximation, 0.0, atol=2e-3)  # weights are constant, up to rounding
    np.testing.assert_array_equal(found.amortization, 0.0)


@pytest.mark.stress
def test_a_family_that_holds_the_posterior_has_amortization_gap_alone():
    # Off in mean and without the correlation: all of it can be had back.
    vae = correlated.model(kv.families.FullNormal(correlated.LATENT), LOC_OFF, np.zeros(3))
    found = inference_gaps(vae, correlated.data(20), num_samples=2000, **QUICK)
    assert within(found.approximation, 0.0, found.approximation_errors, 0.02)
    wanted = correlated.kl(np.full(2, LOC_OFF), np.eye(2))
    assert within(found.amortization, wanted, found.amortization_errors, 0.02)


@pytest.mark.stress
def test_a_flow_comes_nearer_than_the_diagonal():
    # loc, log-variance, then u, w and b of two planar maps.
    values = np.concatenate([BEST, np.full(4, 0.1), np.full(4, 0.5), np.zeros(2)])
    vae = correlated.model(kv.families.PlanarFlow(correlated.LATENT, flows=2), 0.0, values)
    found = inference_gaps(vae, correlated.data(10), num_samples=2000, **QUICK | {"patience": 5})
    family_gap = correlated.kl(np.zeros(2), np.diag(np.exp(BEST)))
    assert -0.01 < np.mean(found.approximation) < 0.6 * family_gap
    assert np.mean(found.amortization) > 0.1


@pytest.mark.stress
def test_conditional_models_are_measured_given_y():
    x, y = correlated.data(10), np.linspace(-1, 1, 10, dtype=np.float32)[:, None]
    shifted = (x + y * correlated.V).astype(np.float32)
    found = inference_gaps(correlated.conditional_model(), (shifted, y), num_samples=2000, **QUICK | {"patience": 5})
    family_gap = correlated.kl(np.zeros(2), np.diag(np.exp(BEST)))
    assert within(found.approximation, family_gap, found.approximation_errors, 0.03)
    exact = correlated.marginal().logpdf(x)
    assert within(found.log_likelihood.per_example - exact, 0.0, found.log_likelihood.sampling_errors, 0.001)


def test_an_estimate_can_be_given():
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(5)
    exact = LogLikelihood(linear_gaussian.marginal().logpdf(x), 100, np.full(5, 100.0))
    found = inference_gaps(vae, x, estimate=exact, max_steps=100, verbose=False)
    assert found.log_likelihood is exact
    assert found.steps == 100
    assert not found.settled.any()
    with pytest.raises(ValueError, match="expected 4 examples, received an estimate for 5"):
        inference_gaps(vae, x[:4], estimate=exact, max_steps=100, verbose=False)


def test_errors_are_those_of_another_seed():
    # Copies of one x have noise of their own each.
    vae = correlated.model(kv.families.Normal(correlated.LATENT), LOC_OFF, BEST + LOG_OFF)
    x = np.repeat(correlated.data(1), 200, axis=0)
    found = inference_gaps(
        vae, x, num_samples=np.int64(100), bound_samples=np.int64(50), max_steps=np.int64(150), verbose=False
    )
    assert found.steps == 150
    # Of 200 values the deviation is known to 5 %, and each error is itself estimated from 50 samples.
    assert np.std(found.encoder_bounds) == pytest.approx(np.sqrt(np.mean(found.encoder_errors**2)), rel=0.2)
    assert np.std(found.local_bounds) == pytest.approx(np.sqrt(np.mean(found.local_errors**2)), rel=0.2)
    np.testing.assert_allclose(found.total, found.approximation + found.amortization, atol=1e-4)


def test_another_family_is_searched_for_the_same_model():
    # q(z|x) is the best diagonal normal, and the exact posterior a full one: all of the gap can be had back.
    vae = correlated.model(kv.families.Normal(correlated.LATENT), 0.0, BEST)
    full = kv.families.FullNormal(correlated.LATENT)
    found = inference_gaps(vae, correlated.data(20), num_samples=2000, family=full, **QUICK)
    assert found.settled.all()
    assert within(found.approximation, 0.0, found.approximation_errors, 0.02)
    family_gap = correlated.kl(np.zeros(2), np.diag(np.exp(BEST)))
    assert within(found.amortization, family_gap, found.amortization_errors, 0.02)
    exact = correlated.marginal().logpdf(correlated.data(20))
    assert within(found.log_likelihood.per_example - exact, 0.0, found.log_likelihood.sampling_errors, 0.001)


@pytest.mark.parametrize(
    "family", [kv.families.Normal(3), kv.families.FullNormal(3), kv.families.PlanarFlow(3, flows=2)]
)
def test_a_search_begins_at_the_normal_it_is_given(family):
    loc, scale = np.float32([[1.0, -2.0, 0.5]] * 4), np.float32([[0.5, 2.0, 1.0]] * 4)
    values = starting_values(family, tf.constant(loc), tf.constant(scale), tf.constant([0, 1]))
    assert values.shape[1:] == family.parameters_shape
    parameters = family(values)
    flow = isinstance(family, kv.families.PlanarFlow)  # near it: its maps are not quite the identity
    np.testing.assert_allclose(family.mean(parameters), loc, atol=0.3 if flow else 1e-5)
    np.testing.assert_allclose(family.scale(parameters), scale, rtol=0.3 if flow else 1e-5)


def test_families_that_cannot_be_searched_are_refused():
    vae = correlated.model(kv.families.Normal(correlated.LATENT), 0.0, BEST)
    x = correlated.data(2)
    with pytest.raises(ValueError, match=r"expected \(2,\) latents, .*of shape \(3,\)"):
        inference_gaps(vae, x, family=kv.families.Normal(3), verbose=False)
    with pytest.raises(ValueError, match="all belong to one example, received InverseAutoregressiveFlow"):
        inference_gaps(vae, x, family=kv.families.InverseAutoregressiveFlow(correlated.LATENT), verbose=False)
    with pytest.raises(TypeError, match="received 'flow'"):
        inference_gaps(vae, x, family="flow", verbose=False)


def test_examples_leave_the_search_when_they_have_settled():
    vae = correlated.model(kv.families.Normal(correlated.LATENT), 0.0, BEST)
    optimizer = LocalOptimizer(vae, vae.encoder.family, learning_rate=0.02, step_samples=10, patience=3, max_steps=5000)
    start, advance, rows = optimizer._begin, optimizer._go_on, []
    far = np.float32([[[0.0, 0.0]]] * 3 + [[[4.0, 0.0]]] * 2)  # the means of the last two

    def begin(x, y, noise):
        values, _ = start(x, y, noise)
        return values + far, optimizer._look(vae.infer(x, condition=y), values + far, noise)

    def go_on(x, y, values, *others):
        rows.append(len(values))
        return advance(x, y, values, *others)

    optimizer._begin, optimizer._go_on = begin, go_on
    x = tf.constant(correlated.data(5))
    q = optimizer.fit(x, None, tf.constant([0, 1]))
    assert rows[0] == 5
    assert rows[-1] <= 2
    assert len(rows) == q.steps / 100
    assert q.settled.all()
    # The noise of Adam's steps, of 0.02 each, that a mean of a hundred of them keeps.
    np.testing.assert_allclose(q.local, start(x, None, tf.constant([0, 1]))[0], atol=0.1)


def test_a_search_that_fails_has_found_nothing(tmp_path):
    vae = linear_gaussian.model(exact_posterior=False)
    found = inference_gaps(vae, linear_gaussian.data(3), num_samples=20, learning_rate=1e30, patience=1, verbose=False)
    assert not found.settled.any()
    np.testing.assert_array_equal(found.amortization, 0.0)
    nothing = dataclasses.replace(found.log_likelihood, per_example=np.full(3, -np.inf))
    broken = dataclasses.replace(found, log_likelihood=nothing, local_bounds=np.full(3, np.nan))
    broken.save(tmp_path / "gaps.json")
    assert json.loads((tmp_path / "gaps.json").read_text())["approximation_gap"] is None
    broken.plot(tmp_path / "gaps.png")


def test_what_cannot_be_so_is_said(found, tmp_path):
    late = dataclasses.replace(found, settled=np.arange(20) > 4)
    (warning,) = late.warnings()
    assert "for 25 % of the examples" in warning
    assert "max_steps" in warning
    low = dataclasses.replace(found.log_likelihood, per_example=found.local_bounds - 1.0)
    wrong = dataclasses.replace(found, log_likelihood=low, encoder_bounds=found.local_bounds + 1.0)
    assert any("approximation gap is negative" in warning for warning in wrong.warnings())
    assert any("amortization gap is negative" in warning for warning in wrong.warnings())
    found.save(tmp_path / "gaps.json")
    stored = json.loads((tmp_path / "gaps.json").read_text())
    assert stored["amortization_gap"] == pytest.approx(np.mean(found.amortization), rel=1e-5)
    assert stored["log_likelihood"]["per_example"] == pytest.approx(found.log_likelihood.per_example.tolist())
    found.plot(tmp_path / "gaps.png")
    assert "approximation gap" in str(found)


@pytest.mark.stress
def test_seeds_repeat():
    first = displaced(3, max_steps=200, seed=1)
    again = displaced(3, max_steps=200, seed=1)
    other = displaced(3, max_steps=200, seed=2)
    np.testing.assert_array_equal(first.local_bounds, again.local_bounds)
    assert not np.array_equal(first.local_bounds, other.local_bounds)


def test_posteriors_without_gradient_are_refused():
    vae = kv.models.make("nvil", (4,), latent_size=2, hidden=[4])
    with pytest.raises(ValueError, match="not differentiable"):
        inference_gaps(vae, np.ones([2, 4], np.float32), verbose=False)
    vae = linear_gaussian.model(exact_posterior=True)
    with pytest.raises(ValueError, match="bound_samples"):
        inference_gaps(vae, linear_gaussian.data(2), bound_samples=1)
    with pytest.raises(ValueError, match="learning_rate"):
        inference_gaps(vae, linear_gaussian.data(2), learning_rate=0.0)


def test_a_density_that_jumps_is_refused():
    family = kv.families.PiecewiseConstant(1)
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP(), family),
        kv.Decoder(kv.networks.MLP(), kv.families.Normal(2, scale=1.0)),
        kv.priors.Uniform(family),
    )
    with pytest.raises(ValueError, match=r"has jumps.*received PiecewiseConstant"):
        inference_gaps(vae, np.zeros([2, 2], np.float32), num_samples=20, verbose=False)


def test_an_estimate_of_other_data_is_refused_before_the_search(monkeypatch):
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(5)
    monkeypatch.setattr(LocalOptimizer, "fit", lambda *_: pytest.fail("searched"))
    few = LogLikelihood(np.zeros(4), 100, np.full(4, 100.0))
    with pytest.raises(ValueError, match="expected at least 5 examples, received an estimate for 4"):
        inference_gaps(vae, x, estimate=few, verbose=False)
    with pytest.raises(TypeError, match="result of log_likelihood or annealed_importance_sampling, received ndarray"):
        inference_gaps(vae, x, estimate=np.zeros(5), verbose=False)


def test_errors_of_the_gaps_are_as_wide_as_other_seeds_go(monkeypatch):
    def fit(self, x, y, seed, verbose=False):  # finds what it finds without noise of its own
        values, _ = self._begin(x, y, seed)
        return LocalPosteriors(values, values - [LOC_OFF, LOG_OFF], 0, np.ones(len(x), bool))

    monkeypatch.setattr(LocalOptimizer, "fit", fit)
    x = np.repeat(correlated.data(1), 400, axis=0)  # copies, with noise of their own each
    vae = correlated.model(kv.families.Normal(correlated.LATENT), LOC_OFF, BEST + LOG_OFF)
    found = inference_gaps(vae, x, num_samples=200, bound_samples=50, verbose=False)
    # Of 400 values the deviation is known to 4 %, and each error is itself estimated from 50 samples.
    for gap, errors in (
        (found.approximation, found.approximation_errors),
        (found.amortization, found.amortization_errors),
    ):
        assert np.std(gap) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.15)
