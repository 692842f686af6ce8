"""Real data of a size far from 1 is said, before it freezes the posterior's scale."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.trainer.scale_check import warn_if_unscaled


def model(likelihood):
    keras.utils.set_random_seed(0)
    vae = kv.models.vae((6,), latent_size=2, hidden=[8], likelihood=likelihood, seed=0)
    vae.compile("adam")
    return vae


@pytest.fixture(scope="module")
def plain():
    return model("normal")


@pytest.fixture(scope="module")
def x():
    return (1000 * np.random.default_rng(0).normal(size=[64, 6])).astype(np.float32)


def clipped(vae, x):
    """Return the share of log-variances of q at their limits."""
    scale = np.asarray(vae.infer(x).parameters["scale"])
    return np.mean(np.abs(2 * np.log(scale)) > 29.99)


def said(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(w.message) for w in caught if issubclass(w.category, kv.UnscaledDataWarning)]


def test_an_array_is_judged_before_training(plain, x):
    assert clipped(plain, x) > 0.5
    (message,) = said(lambda: plain.fit(x, epochs=1, verbose=0))
    assert "expected real values of a size near 1, received a root mean square of " in message
    assert message.endswith("as the likelihood (on the command line --standardize), or scale x beforehand.")
    assert "\n" not in message


def test_a_dataset_is_judged_by_the_kl_of_the_second_epoch_or_the_only_one(plain, x):
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(16)
    for epochs, where in ((3, "in epoch 2"), (1, "in epoch 1")):
        (message,) = said(lambda epochs=epochs: plain.fit(dataset, epochs=epochs, verbose=0))
        assert "expected a KL of a few nats per latent, received " in message
        assert where in message
        assert "Standardized(family).adapt(x)" in message


def test_the_remedy_works_and_nothing_is_said_then(x):
    family = kv.families.Standardized(kv.families.Normal(6, scale="learned")).adapt(x)
    vae = model(family)
    assert clipped(vae, x) == 0
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(16)
    assert said(lambda: (warn_if_unscaled(x, family), vae.fit(dataset, epochs=1, verbose=0))) == []


@pytest.mark.parametrize(
    ("scale", "offset", "expected"),
    [
        (1.0, 0.0, None),
        (10.0, 0.0, None),
        (0.1, 0.0, None),
        (0.0, 0.0, None),
        (0.0, 1.0, None),
        (100.0, 0.0, "root mean square of 99.5"),
        (1.0, 1000.0, "root mean square of 1e"),
        (1e-4, 0.0, "standard deviation of"),
        (1e-4, 5.0, "standard deviation of"),
    ],
)
def test_the_size_alone_decides(scale, offset, expected):
    x = offset + scale * np.random.default_rng(0).normal(size=[500, 6])
    messages = said(lambda: warn_if_unscaled(x, kv.families.Normal(6)))
    assert len(messages) == (expected is not None)
    if expected:
        assert expected in messages[0]
    assert said(lambda: warn_if_unscaled(x, kv.families.ContinuousBernoulli(6))) == []
