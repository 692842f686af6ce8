import json
import sys

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import keras_vae as kv
from keras_vae.evaluation.checks.example_statistics import neighbor_agreement, usual
from keras_vae.evaluation.checks.predictive_checks import PredictiveChecks, predictive_checks
from tests import linear_gaussian
from tests.evaluation import labeled

# The function of the same name hides the module.
module = sys.modules["keras_vae.evaluation.checks.predictive_checks"]
W, B = linear_gaussian.weights()
SIGMA, DATA = linear_gaussian.SIGMA, linear_gaussian.DATA
# The exact posterior is N((x − b)ᵀG, diag(V)).
G = W / (np.sum(W**2, axis=0) + SIGMA**2)
V = SIGMA**2 / (np.sum(W**2, axis=0) + SIGMA**2)
REPLICATES = 400


def right():
    return linear_gaussian.model(exact_posterior=True)


@pytest.fixture(scope="module")
def posterior():
    return predictive_checks(right(), linear_gaussian.data(250), num_replicates=REPLICATES, verbose=False)


def close(found, wanted, standard_errors=4.5):
    """Shares of 400 replicates, each of which lies above with the wanted probability."""
    errors = np.sqrt(wanted * (1 - wanted) / REPLICATES) + 1 / REPLICATES
    return np.all(np.abs(found - wanted) < standard_errors * errors)


def test_prior_p_values_of_examples_are_exact_and_uniform():
    x = linear_gaussian.data(400)
    found = predictive_checks(right(), x, kind="prior", num_replicates=REPLICATES, verbose=False)
    assert found.names == ("mean", "variance")
    deviation = np.sqrt(np.sum(W @ W.T + SIGMA**2 * np.eye(DATA))) / DATA
    assert close(found.example_p_values[0], scipy.stats.norm.sf(x.mean(axis=1), B.mean(), deviation))
    for p_values in found.example_p_values:
        assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.all(found.average_p_values > 0.02)
    assert np.all(found.spread_p_values > 0.02)
    assert not found.warnings()


def test_posterior_p_values_of_examples_are_exact_and_conservative(posterior):
    x = linear_gaussian.data(250)
    center = ((x - B) @ G @ W.T + B).mean(axis=1)
    deviation = np.sqrt(np.sum((W * V) @ W.T + SIGMA**2 * np.eye(DATA))) / DATA
    assert close(posterior.example_p_values[0], scipy.stats.norm.sf(x.mean(axis=1), center, deviation))
    # p = Φ(τε) with τ² the variance of x's distance from its replicates' center, in theirs; 1/12 would be uniform.
    row = (np.eye(DATA) - W @ G.T).mean(axis=0)
    ratio = row @ (W @ W.T + SIGMA**2 * np.eye(DATA)) @ row / deviation**2
    variance = np.arcsin(ratio / (1 + ratio)) / (2 * np.pi)
    assert variance < 0.8 / 12
    assert np.var(posterior.example_p_values[0]) == pytest.approx(variance, rel=0.25)  # 250 of them know it to 6 %
    assert "conservative" in posterior.warnings()[0]


def test_averages_are_those_of_the_data_and_of_the_replicates(posterior):
    x = linear_gaussian.data(250)
    center = ((x - B) @ G @ W.T + B).mean(axis=1)
    np.testing.assert_allclose(posterior.data_averages[0], x.mean(), rtol=1e-4)
    np.testing.assert_allclose(posterior.data_spreads[0], x.mean(axis=1).std(), rtol=1e-4)
    np.testing.assert_allclose(posterior.data_averages[1], x.var(axis=1).mean(), rtol=1e-4)
    deviation = np.sqrt(np.sum((W * V) @ W.T + SIGMA**2 * np.eye(DATA))) / DATA / np.sqrt(250)
    assert np.mean(posterior.averages[0]) == pytest.approx(center.mean(), abs=4 * deviation / 20)
    assert np.std(posterior.averages[0]) == pytest.approx(deviation, rel=0.15)


def test_the_discrepancy_is_compared_at_the_same_z(posterior):
    x = linear_gaussian.data(250)
    constant = DATA * np.log(SIGMA * np.sqrt(2 * np.pi))
    # Of a replicate ½χ² with five degrees of freedom, whatever z is; of x its mean over q(z|x).
    residuals = x - B - (x - B) @ G @ W.T
    wanted = constant + (np.sum(residuals**2, axis=1) + np.sum(V * np.sum(W**2, axis=0))) / (2 * SIGMA**2)
    assert posterior.names[2] == "−log p(x|z)"
    assert np.mean(posterior.averages[2]) == pytest.approx(constant + DATA / 2, abs=0.03)
    assert np.mean(posterior.data_averages[2]) == pytest.approx(wanted.mean(), abs=0.02)


def test_misfit_is_found():
    found = predictive_checks(right(), 1.5 * linear_gaussian.data(250), num_replicates=60, verbose=False)
    smallest = 2 / 61
    assert found.average_p_values[1] == pytest.approx(smallest)  # variance
    assert found.average_p_values[2] == pytest.approx(smallest)  # −log p(x|z)
    assert found.unusual_shares[2] > 0.1
    text = str(found)
    assert "variance, average" in text
    assert "conservative" in text


def test_unusual_examples_by_hand():
    # Of 59 replicates none, one, and half are beyond: two-sided, the example counted in, 2/60, 4/60 and 1.
    values = np.zeros([1, 59])
    found = PredictiveChecks("prior", ("t",), values, values, values, values, np.array([[0, 1 / 59, 0.5, 1]]))
    assert found.unusual_shares[0] == 0.5


def test_a_conditional_model_is_given_y():
    y = np.arange(60) % 2
    x = linear_gaussian.data(60) + labeled.SHIFT[y].astype(np.float32)
    for kind in ("posterior", "prior"):
        found = predictive_checks(labeled.model(), (x, y), kind=kind, num_replicates=100, verbose=False)
        assert np.mean(found.averages[0]) == pytest.approx(x.mean(), abs=0.3)
        assert np.all(found.spread_p_values > 0.02)  # the labels' means differ by far more than examples of one


def test_pieces_do_not_change_the_answer(monkeypatch, posterior):
    monkeypatch.setattr(module, "rows_at_once", lambda model: 700)  # seven replicates of 100 examples at once
    x = linear_gaussian.data(250)
    found = predictive_checks(right(), x, num_replicates=REPLICATES, verbose=False)
    assert len(np.unique(found.averages[0])) == REPLICATES  # none is missing, none comes twice
    assert np.mean(found.averages[0]) == pytest.approx(np.mean(posterior.averages[0]), abs=0.01)
    # Two estimates of the same p-values.
    assert np.max(np.abs(found.example_p_values - posterior.example_p_values)) < 5 * np.sqrt(0.5 / REPLICATES)


def test_seeds_repeat():
    x = linear_gaussian.data(20)
    first, again, other = (predictive_checks(right(), x, num_replicates=9, seed=s, verbose=False) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.averages, again.averages)
    assert not np.array_equal(first.averages, other.averages)


def test_a_users_statistic():
    x = linear_gaussian.data(30)
    largest = {"largest": lambda x: tf.reduce_max(x, axis=-1)}
    found = predictive_checks(right(), x, kind="prior", statistics=largest, num_replicates=5, verbose=False)
    assert found.names == ("mean", "variance", "largest")
    np.testing.assert_allclose(found.data_averages[2], x.max(axis=1).mean(), rtol=1e-5)


@pytest.mark.parametrize(
    ("statistics", "error", "match"),
    [
        ({"mean": lambda x: x[:, 0]}, ValueError, "name of a statistic is taken"),
        ({"all": lambda x: tf.reduce_max(x)}, ValueError, "'all'.*one number per example"),
        ({"none": lambda x: tf.math.log(-tf.ones_like(x[:, 0]))}, ValueError, "'none'.*not finite"),
        ({"text": "mean"}, TypeError, "'text'.*function"),
    ],
)
def test_bad_statistics_are_refused(statistics, error, match):
    with pytest.raises(error, match=match):
        predictive_checks(right(), linear_gaussian.data(5), statistics=statistics, num_replicates=2, verbose=False)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="'posterior' or 'prior'"):
        predictive_checks(right(), linear_gaussian.data(5), kind="both")
    with pytest.raises(ValueError, match="num_replicates"):
        predictive_checks(right(), linear_gaussian.data(5), num_replicates=0)


def test_neighbors_by_hand():
    stripes = np.tile([0.0, 1.0], 2) * np.ones([4, 4])  # all 12 pairs beside each other differ, all 12 below agree
    quarter = np.zeros([4, 4])
    quarter[:2, :2] = 0.9  # 4 of 24 pairs differ
    found = neighbor_agreement(tf.constant(np.stack([stripes, quarter])[..., None], tf.float32))
    np.testing.assert_allclose(found, [0.5, 20 / 24], rtol=1e-6)


def test_the_usual_statistics_are_of_one_example(binary_images):
    values = usual(kv.families.ContinuousBernoulli((8, 8, 1)))
    assert list(values) == ["mean", "variance", "lit pixels", "neighbor agreement"]
    gray = 0.8 * binary_images
    found = {name: statistic(tf.constant(gray)).numpy() for name, statistic in values.items()}
    np.testing.assert_allclose(found["mean"], gray.mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found["variance"], gray.var(axis=(1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(found["lit pixels"], binary_images.mean(axis=(1, 2, 3)), rtol=1e-5)


def test_it_draws_and_saves(tmp_path, posterior):
    posterior.plot(tmp_path / "checks.png")
    posterior.save(tmp_path / "checks.json")
    saved = json.loads((tmp_path / "checks.json").read_text())
    np.testing.assert_allclose(saved["average_p_values"], posterior.average_p_values)


@pytest.mark.parametrize("replicates", [119, 200, 399, 999, 1999])
def test_both_tails_count_as_unusual_alike(replicates):
    """An example below and one above all but k replicates, for each k; by whole numbers."""
    k = np.arange(replicates // 2)
    p = np.concatenate([k, replicates - k]) / replicates
    blank = np.zeros([1, replicates])
    found = PredictiveChecks("posterior", ("mean",), blank, blank, blank, blank, p[None])
    wanted = np.mean([40 * (1 + int(i)) <= 1 + replicates for i in k])
    assert found.unusual_shares[0] == wanted
