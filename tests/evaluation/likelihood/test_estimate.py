import json
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

import keras_vae as kv
from keras_vae.cli import evaluate
from keras_vae.evaluation.likelihood.importance_weights import log_mean_weight
from keras_vae.evaluation.likelihood.log_likelihood import LogLikelihood
from keras_vae.evaluation.likelihood.prior_sampling import PriorSampling
from tests import linear_gaussian


def exact(x):
    return linear_gaussian.marginal().logpdf(x)


@pytest.mark.parametrize("rows", [4096, 3, 1])
def test_weights_are_summed_in_any_number_of_chunks(rows):
    weights = np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 6.0, 0.0]])
    places = iter(range(0, 4, min(max(rows // 3, 1), 4)))

    def draw(size, seed):
        start = next(places)
        return tf.math.log(tf.constant(weights, tf.float32)[start : start + size])

    found, effective = log_mean_weight(
        draw,
        tf.zeros([3, 1]),
        num_samples=tf.constant(4),
        examples=tf.constant(3),
        at_once=rows,
        seed=tf.constant([0, 1]),
    )
    np.testing.assert_allclose(found, [0.0, math.log(2.0), -math.inf], atol=1e-6)
    np.testing.assert_allclose(effective, [4.0, 64.0 / 40.0, 0.0], rtol=1e-5)


def test_effective_samples_have_their_exact_share():
    count = 4000
    full = kv.evaluation.log_likelihood(
        linear_gaussian.model(True), linear_gaussian.data(5), num_samples=count, verbose=False
    )
    np.testing.assert_allclose(full.effective_samples, count, rtol=1e-3)
    # For each latent q is 0.2 off in mean and 0.3 in log-variance: E_q[(p/q)²] by quadrature.
    w, _ = linear_gaussian.weights()
    scales = linear_gaussian.SIGMA / np.sqrt(np.sum(w**2, axis=0) + linear_gaussian.SIGMA**2)
    squares = 1.0
    for scale in scales:
        p, q = scipy.stats.norm(0.0, scale), scipy.stats.norm(0.2, scale * math.exp(0.15))
        squares *= scipy.integrate.quad(lambda z, p=p, q=q: p.pdf(z) ** 2 / q.pdf(z), -8 * scale, 8 * scale)[0]
    found = kv.evaluation.log_likelihood(
        linear_gaussian.model(False), linear_gaussian.data(5), num_samples=count, verbose=False
    )
    # The share of each of 5 examples varies by about 2 %.
    np.testing.assert_allclose(found.effective_samples / count, 1.0 / squares, rtol=0.08)


def test_sampling_errors_are_those_of_other_seeds():
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(500)
    found = kv.evaluation.log_likelihood(vae, x, num_samples=200, verbose=False)
    scores = (found.per_example - exact(x)) / found.sampling_errors
    assert np.std(scores) == pytest.approx(1.0, abs=0.13)  # 4 standard errors of 500 scores
    assert found.sampling_error == pytest.approx(np.sqrt(np.mean(found.sampling_errors**2) / 500))


def estimate(effective, num_samples=1000, per_example=None):
    effective = np.asarray(effective, np.float32)
    values = -80.0 - np.arange(len(effective), dtype=np.float32) if per_example is None else np.asarray(per_example)
    return LogLikelihood(values, num_samples, effective)


def test_it_warns_where_few_samples_weigh():
    assert not estimate(np.full(100, 50.0)).warnings()
    assert not estimate([5.0, *np.full(99, 50.0)]).warnings()  # one in a hundred
    (warning,) = estimate([*np.full(10, 5.0), *np.full(90, 50.0)]).warnings()
    assert "10 %" in warning
    (warning,) = estimate(np.ones(3), num_samples=1).warnings()
    assert "read it as a bound" in warning
    broken = estimate([0.0, 50.0, 50.0], per_example=[-math.inf, -80.0, -81.0])
    assert "1 of 3" in broken.warnings()[0]
    for values in ([-math.inf, -80.0, -81.0], [-math.inf] * 3):
        (warning,) = estimate([0.0, 5.0, 50.0], per_example=values).warnings()[:1]
        assert "are not finite" in warning
        assert not any("or more too low" in each for each in estimate([0.0, 5.0, 5.0], per_example=values).warnings())
    # 0.3 nats: 1/ESS = 0.09 for many samples.
    assert estimate([11.0, 11.2], num_samples=10**6).unsure.tolist() == [True, False]


@pytest.mark.parametrize("kind", [LogLikelihood, PriorSampling])
def test_an_effective_sample_size_near_one_leaves_a_lower_bound_only(kind):
    """One weight of 1,000 has a standard error of 1 nat by the delta method, however far the estimate is too low."""
    alone = kind(np.full(50, -500.0), 1000, np.array([1.0, *np.full(49, 1.3)]))
    assert alone.lower_bound_only
    assert math.isnan(alone.sampling_error)
    (warning,) = alone.warnings()
    assert "50 of 50 examples" in warning
    assert "fewest effective samples are 1.0" in warning
    assert "a lower bound only" in warning
    assert "annealed importance sampling" in warning
    assert warning in str(alone)
    (row,) = (row for row in alone.table() if "over seeds" in row[0])
    assert row[2] == "unknown"
    stored = alone.to_dict()
    assert stored["sampling_error"] is None
    assert stored["lower_bound_only"]

    few = kind(np.full(100, -500.0), 1000, np.array([1.0, *np.full(99, 50.0)]))
    assert not few.lower_bound_only
    assert math.isfinite(few.sampling_error)
    (warning,) = few.warnings()
    assert "1 of 100 examples" in warning
    # Of one sample nothing is known in any case: the warning is another one.
    assert not kind(np.full(3, -500.0), 1, np.ones(3)).lower_bound_only


def test_a_poor_posterior_leaves_a_lower_bound_only(capsys, monkeypatch):
    """What the model says, its gaps and the command line too."""
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(20)
    kernel, bias = vae.encoder.head.get_weights()
    vae.encoder.head.set_weights([kernel, bias + np.tile([2.0, -2.0], linear_gaussian.LATENT)])  # aside, and narrow
    found = kv.evaluation.log_likelihood(vae, x, num_samples=50, verbose=False)
    errors = exact(x) - found.per_example
    assert np.mean(errors) > 5 * np.mean(found.sampling_errors)  # what the standard error would hide
    assert found.lower_bound_only
    assert f"fewest effective samples are {found.effective_samples.min():.1f}" in str(found)
    evaluate._print("test", {"bound": -1.0, "reconstruction": 1.0, "kl": 2.0}, found)
    printed = capsys.readouterr().out
    assert "± unknown over seeds" in printed
    assert "a lower bound only" in printed
    figures = evaluate._figures({"bound": -1.0, "reconstruction": 1.0, "kl": 2.0}, found)
    assert figures["lower_bound_only"]
    assert figures["fewest_effective_samples"] == pytest.approx(found.effective_samples.min())

    some = np.zeros(20)
    gaps = kv.evaluation.InferenceGaps(found, some, some, some, some, some, 1, np.ones(20, bool))
    assert any("gap are lower bounds only" in warning for warning in gaps.warnings())
    assert [row[0] for row in gaps.table() if "unknown" in row] == ["log p(x)", "approximation gap", "total gap"]


def test_it_prints_saves_and_plots(tmp_path):
    found = estimate(np.linspace(2.0, 200.0, 50))
    title, *lines = str(found).splitlines()
    assert title == LogLikelihood.title
    figures = [line.split() for line in lines if not line.startswith("warning: ")]
    assert ["log", "p(x),", "over", "examples", "−104.50", f"{found.standard_error:.2f}"] in figures
    assert ["effective", "samples,", "fewest", "2.0"] in figures
    assert len(lines) - len(figures) == len(found.warnings()) == 1
    found.save(tmp_path / "found.json")
    stored = json.loads((tmp_path / "found.json").read_text())
    assert stored["mean"] == pytest.approx(-104.5)
    assert len(stored["effective_samples"]) == 50
    found.plot(tmp_path / "found.png")
    assert (tmp_path / "found.png").stat().st_size > 1000
    assert any("-104.50" in cell.replace("−", "-") for row in found.table() for cell in row)
