"""Going through data: what is taken, in which order, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.evaluation.batches import through
from keras_vae.evaluation.latents.codes import codes

X = (np.random.default_rng(0).random([10, 4]) < 0.5).astype(np.float32)
Y = np.arange(10) % 3


@pytest.fixture(scope="module")
def plain():
    return kv.models.vae((4,), latent_size=2, hidden=[3], seed=0)


@pytest.fixture(scope="module")
def conditional():
    return kv.models.vae((4,), latent_size=2, hidden=[3], condition=kv.conditions.Label(3), seed=0)


def gone_through(model, data, **options):
    batches = list(through(model, data, **{"measure": "test", "batch_size": 4, "verbose": False} | options))
    assert [batch.number for batch in batches] == list(range(len(batches)))
    x = np.concatenate([batch.x for batch in batches])
    y = None if batches[0].y is None else np.concatenate([batch.y for batch in batches])
    return x, y, [batch.condition is not None for batch in batches]


class Frame:
    """What other libraries give: no array, but one in disguise."""

    def __array__(self, dtype=None, copy=None):
        return X


@pytest.mark.parametrize(
    "data",
    [
        X,
        Frame(),
        tf.constant(X),
        tf.data.Dataset.from_tensor_slices(X).batch(4),
        X.astype(np.uint8),
    ],
)
def test_x_alone(plain, data):
    x, y, conditions = gone_through(plain, data)
    np.testing.assert_array_equal(x, X)
    assert x.dtype == np.float32
    assert y is None
    assert not any(conditions)


@pytest.mark.parametrize("kind", ["plain", "conditional"])
def test_x_and_y_of_arrays_and_batches(kind, plain, conditional):
    model = {"plain": plain, "conditional": conditional}[kind]
    for data in ((X, Y), tf.data.Dataset.from_tensor_slices((X, Y)).batch(3)):
        x, y, conditions = gone_through(model, data)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)
        assert all(conditions) == (kind == "conditional")


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (X, {"labels": True}, "test: the data have no labels: expected"),
        ((X, Y[:9]), {}, "received 10 x and 9 y"),
        (
            (tf.data.Dataset.from_tensor_slices(X).batch(4), Y),
            {},
            "y is separate from a .*Dataset: expected batches of",
        ),
        (X + 0.5, {}, "for a Bernoulli likelihood, received"),
        (X[:, :3], {}, "shape"),
        (X[:0], {}, "expected at least one (example|batch), received"),
        (
            tf.data.Dataset.from_tensor_slices(X).batch(4).filter(lambda x: False),
            {},
            "test: the data are empty",
        ),
        (tf.data.Dataset.from_tensor_slices(X).batch(4).repeat(), {}, "infinite.*take"),
        (kv.data.epochs("mnist_5k", "train", batch_size=4)[0], {}, "infinite"),
        ("mnist_5k", {}, "expected an array.*received a str, 'mnist_5k'. Use data.load"),
        (kv.data.read("mnist_5k", "train[:3]"), {}, "received a Examples"),
        (X, {"batch_size": 0}, "batch_size: expected a positive integer, received 0"),
    ],
)
def test_what_is_refused(plain, data, options, message):
    with pytest.raises(ValueError, match=message):
        gone_through(plain, data, **options)


def test_codes_are_the_posteriors(plain):
    found = codes(plain, (X, Y), batch_size=4, verbose=False)
    posterior = plain.posterior(tf.constant(X))
    np.testing.assert_allclose(found.means, posterior.mean(), rtol=1e-5)
    np.testing.assert_allclose(found.scales, posterior.stddev(), rtol=1e-5)
    np.testing.assert_array_equal(found.labels, Y)
    assert codes(plain, X, verbose=False).labels is None
