import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from tests import linear_gaussian

module = sys.modules["keras_vae.evaluation.likelihood.log_likelihood"]  # the package has a function of this name


def exact(x):
    return linear_gaussian.marginal().logpdf(x)


def test_exact_posterior_gives_the_exact_value_from_any_number_of_samples():
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(30)
    for num_samples in (1, 7):
        found = kv.evaluation.log_likelihood(vae, x, num_samples=num_samples, verbose=False)
        np.testing.assert_allclose(found.per_example, exact(x), rtol=1e-4, atol=1e-4)


def test_inexact_posterior_converges_from_below():
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(200)
    means = [
        kv.evaluation.log_likelihood(vae, x, num_samples=num_samples, verbose=False).mean
        for num_samples in (1, 10, 5000)
    ]
    wanted = np.mean(exact(x))
    assert means[0] < means[1] < wanted + 0.01
    # The weights' variance is below 1, so the bias at 5,000 samples is below 1e-3 and the noise below 0.01.
    assert means[2] == pytest.approx(wanted, abs=0.01)


def test_one_sample_is_the_elbo_on_average():
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(2000)
    found = kv.evaluation.log_likelihood(vae, x, num_samples=1, verbose=False).mean
    vae.compile()
    bound = vae.evaluate(x, verbose=0, return_dict=True)["bound"]
    assert found == pytest.approx(bound, abs=0.1)  # two estimates, each with standard error near 0.03


def test_chunks_do_not_change_the_answer(monkeypatch):
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(10)
    whole = kv.evaluation.log_likelihood(vae, x, num_samples=50, verbose=False)
    monkeypatch.setattr(module, "rows_at_once", lambda model: 10 * 7)  # seven samples at once
    vae = linear_gaussian.model(exact_posterior=True)  # the other has its function compiled
    chunked = kv.evaluation.log_likelihood(vae, x, num_samples=50, verbose=False)
    np.testing.assert_allclose(chunked.per_example, whole.per_example, rtol=1e-4, atol=1e-4)


def test_chunks_draw_fresh_noise(monkeypatch):
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(50)
    monkeypatch.setattr(module, "rows_at_once", lambda model: 1)  # one sample at once
    found = kv.evaluation.log_likelihood(vae, x, num_samples=200, verbose=False)
    one = kv.evaluation.log_likelihood(vae, x, num_samples=1, verbose=False)
    # Repeated noise would leave the estimate at that of one sample, about 0.1 nats lower.
    assert abs(found.mean - np.mean(exact(x))) < 0.03
    assert one.mean < found.mean - 0.03


def test_stable_where_weights_underflow():
    """log p(x) near −10⁶: exp of it is 0 in any precision."""
    vae = linear_gaussian.model(exact_posterior=True)
    x = np.full([2, linear_gaussian.DATA], 1000.0, np.float32)
    found = kv.evaluation.log_likelihood(vae, x, num_samples=10, verbose=False)
    np.testing.assert_allclose(found.per_example, exact(x), rtol=1e-3)


def test_dataset_arrays_and_seeds_agree():
    vae, x = linear_gaussian.model(exact_posterior=False), linear_gaussian.data(25)
    dataset = tf.data.Dataset.from_tensor_slices((x, np.arange(25))).batch(10)
    first = kv.evaluation.log_likelihood(vae, dataset, num_samples=5, verbose=False)
    again = kv.evaluation.log_likelihood(vae, x, num_samples=5, batch_size=10, verbose=False)
    other = kv.evaluation.log_likelihood(vae, x, num_samples=5, batch_size=10, seed=1, verbose=False)
    beside = kv.evaluation.log_likelihood(vae, (x, np.arange(25)), num_samples=5, batch_size=10, verbose=False)
    np.testing.assert_array_equal(first.per_example, again.per_example)
    np.testing.assert_array_equal(first.per_example, beside.per_example)
    assert not np.array_equal(first.per_example, other.per_example)
    assert first.standard_error == pytest.approx(np.std(first.per_example, ddof=1) / 5)
    assert ("examples", "25") in first.table()


@pytest.mark.parametrize("bad", [0, -3, 2.5])
def test_bad_arguments_are_refused(bad):
    vae = linear_gaussian.model(exact_posterior=True)
    with pytest.raises(ValueError, match="num_samples"):
        kv.evaluation.log_likelihood(vae, linear_gaussian.data(2), num_samples=bad)
    with pytest.raises(ValueError, match="at least one example"):
        kv.evaluation.log_likelihood(vae, linear_gaussian.data(2)[:0])
    with pytest.raises(ValueError, match="nan"):
        kv.evaluation.log_likelihood(vae, np.full([2, 5], np.nan))
