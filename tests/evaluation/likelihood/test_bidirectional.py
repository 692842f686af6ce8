import dataclasses
import json

import numpy as np
import pytest

import keras_vae as kv
from keras_vae.evaluation.likelihood.bidirectional import bidirectional
from tests.evaluation import correlated


def model():
    return correlated.model(kv.families.Normal(correlated.LATENT), 0.0, np.zeros(2))


@pytest.fixture(scope="module")
def few():
    """Two temperatures and one chain: bounds that are far apart."""
    return bidirectional(
        model(), num_examples=400, num_steps=2, num_chains=1, leapfrog_steps=2, batch_size=200, verbose=False
    )


def test_bounds_lie_on_both_sides_of_the_exact_value(few):
    exact = correlated.marginal().logpdf(few.x)
    for distance in (exact - few.lower, few.upper - exact):
        assert np.mean(distance) > 0.2
        assert np.mean(distance) > 4 * np.std(distance) / np.sqrt(400)
    assert few.gap == pytest.approx(np.mean(few.upper) - np.mean(few.lower), rel=1e-5)


def test_bounds_close_in_on_the_exact_value(few):
    found = bidirectional(model(), num_examples=100, num_steps=64, num_chains=8, leapfrog_steps=3, verbose=False)
    exact = correlated.marginal().logpdf(found.x)
    assert found.gap < 0.1 * few.gap
    for distance in (exact - found.lower, found.upper - exact):
        assert -4 * np.std(distance) / 10 < np.mean(distance) < 0.1
    assert not found.warnings()


def test_x_is_drawn_from_the_model(few):
    wanted = correlated.marginal()
    # Standard errors are near 0.07 for means and 0.14 for covariances.
    np.testing.assert_allclose(few.x.mean(0), wanted.mean, atol=0.28)
    np.testing.assert_allclose(np.cov(few.x.T), wanted.cov, atol=0.5)
    assert len(np.unique(few.x[:, 0])) == 400


@pytest.mark.stress
def test_conditional_models_are_checked_given_y():
    y = np.linspace(-1, 1, 160, dtype=np.float32)[:, None]
    found = bidirectional(
        correlated.conditional_model(),
        num_examples=160,
        num_steps=64,
        num_chains=8,
        leapfrog_steps=4,
        condition=y,
        verbose=False,
    )
    exact = correlated.marginal().logpdf(found.x - y * correlated.V)
    # Both are off by 0.03 to 0.06 on average, and the standard errors of the means are 0.02.
    assert abs(np.mean(found.lower - exact)) < 0.1
    assert abs(np.mean(found.upper - exact)) < 0.1


def test_it_prints_saves_plots_and_warns(few, tmp_path):
    assert "gap" in str(few)
    assert any("more temperatures" in warning for warning in few.warnings())
    swapped = dataclasses.replace(few, lower=few.lower + 50.0)
    assert any("below the lower bound" in warning for warning in swapped.warnings())
    few.save(tmp_path / "found.json")
    stored = json.loads((tmp_path / "found.json").read_text())
    assert stored["gap"] == pytest.approx(few.gap)
    assert "x" not in stored
    few.plot(tmp_path / "found.png")


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="num_examples"):
        bidirectional(model(), num_examples=0)
    with pytest.raises(ValueError, match="has no condition"):
        bidirectional(model(), num_examples=2, condition=np.zeros([2, 1]))
    with pytest.raises(ValueError, match="Pass condition=y"):
        bidirectional(correlated.conditional_model(), num_examples=2)
    discrete = kv.models.make("nvil", (4,), latent_size=2, hidden=[4])
    with pytest.raises(ValueError, match="real latents"):
        bidirectional(discrete, num_examples=2)
