"""Batches sent as bytes: the numbers made of them in the step are the dataset's own, and none pass unchecked."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.conditions import Label, Vector
from keras_vae.data import packed
from keras_vae.data.unopened import unopened
from keras_vae.families import Bernoulli, Normal
from keras_vae.trainer.packed_input import as_bytes

KINDS = [("bernoulli", "dynamic"), ("bernoulli", "static"), ("normal", "gray"), ("normal", "dequantized")]
EVENT = (8, 8, 1)


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, [35, 8, 8], np.uint8)


@pytest.fixture
def labeled(pixels):
    return tf.data.Dataset.from_tensor_slices((pixels, np.arange(35) % 10))


def flat(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def pair(x):
    return x if isinstance(x, tuple) else (x, None)


def model(likelihood="bernoulli", condition=None, **compiled):
    keras.utils.set_random_seed(3)
    vae = kv.models.vae(EVENT, latent_size=2, hidden=[8], likelihood=likelihood, condition=condition, seed=5)
    vae.compile(keras.optimizers.Adam(1e-2), **compiled)
    return vae


@pytest.mark.parametrize("with_labels", [False, True])
@pytest.mark.parametrize(("likelihood", "preprocess"), KINDS)
def test_x_made_in_a_step_is_the_datasets(labeled, likelihood, preprocess, with_labels):
    def load():
        return kv.data.load(
            labeled, batch_size=16, likelihood=likelihood, preprocess=preprocess, with_labels=with_labels, seed=4
        )

    opened, bytes_ = load(), unopened(load()).dataset
    step = tf.function(packed.unpack)
    for _ in range(2):  # two epochs, with an order and noise of their own
        wanted, found = list(opened), [step(batch) for batch in bytes_]
        assert [len(pair(x)[0]) for x in found] == [16, 16, 3]
        for one, other in zip(wanted, found, strict=True):
            for part, same in zip(pair(one), pair(other), strict=True):
                assert (part is None) == (same is None) == (part is None)
                if part is not None:
                    assert part.dtype == same.dtype
                    # TensorFlow makes a division by 255 a multiplication in graphs: a unit in the last place.
                    np.testing.assert_allclose(part, same, rtol=1.2e-7, atol=0)


@pytest.mark.parametrize(("likelihood", "preprocess"), KINDS)
def test_x_made_under_xla_has_noise_of_the_same_law_that_repeats(likelihood, preprocess):
    pixels = np.random.default_rng(2).integers(0, 256, [500, 8, 8], np.uint8)
    options = {"batch_size": 500, "likelihood": likelihood, "preprocess": preprocess, "shuffle": False}
    batch = next(iter(unopened(kv.data.load(pixels, **options)).dataset))
    step = tf.function(packed.unpack, jit_compile=True)
    x = step(batch).numpy()
    np.testing.assert_array_equal(step(batch), x)
    assert np.all((Bernoulli if likelihood == "bernoulli" else Normal)(EVENT).support.contains(tf.constant(x)))
    # The mean of 32,000 values about their gray level, or 2⁻⁹ above: a standard deviation of at most 0.0028.
    assert abs(np.mean(x[..., 0]) - np.mean(pixels) / 255) < 0.012


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal"])
def test_only_bytes_are_sent(pixels, likelihood):
    family = Bernoulli(EVENT) if likelihood == "bernoulli" else Normal(EVENT)
    sent = as_bytes(kv.data.load(pixels, likelihood=likelihood, batch_size=16), family, None)
    (parts,) = next(iter(sent)).values()
    assert parts["pixels"].dtype == tf.uint8
    assert int(sent.cardinality()) == 3


def test_gray_pixels_are_255ths_and_labels_stay_with_them(pixels, labeled):
    bytes_ = unopened(kv.data.load(labeled, "test", likelihood="normal", preprocess="gray", with_labels=True))
    x, y = packed.unpack(next(iter(bytes_.dataset)))
    np.testing.assert_array_equal(x[..., 0], pixels.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(y, np.arange(35) % 10)


@pytest.mark.parametrize(
    "made",
    [
        lambda d: d.take(2),
        lambda d: d.map(lambda x: x),
        lambda d: d.map(lambda x: 1 - x),
        lambda d: d.repeat(2),
        lambda d: d.prefetch(1),
        lambda d: np.concatenate(list(d)),
    ],
)
def test_what_a_user_made_of_a_dataset_is_taken_as_it_is(pixels, made):
    assert as_bytes(made(kv.data.load(pixels)), Bernoulli(EVENT), None) is None
    assert as_bytes(kv.data.load(pixels), Bernoulli(EVENT), None) is not None


def test_a_users_change_of_the_values_is_trained_on(pixels):
    one, other = model(), model()
    one.fit(kv.data.load(pixels, batch_size=16).map(lambda x: 1 - x), verbose=0)
    other.fit(kv.data.load(pixels, batch_size=16), verbose=0)
    assert np.abs(flat(one) - flat(other)).max() > 1e-3


@pytest.mark.stress
@pytest.mark.parametrize("ordinary", [False, True])
def test_data_made_for_another_likelihood_is_refused(pixels, ordinary):
    dataset = kv.data.load(pixels, likelihood="normal", preprocess="gray")
    dataset = dataset.map(lambda x: x) if ordinary else dataset
    with pytest.raises(ValueError, match=r"refuses this data: found the value 0\.\d+; a Bernoulli likelihood wants"):
        model().fit(dataset, verbose=0)
    with pytest.raises(ValueError, match="a Bernoulli likelihood wants"):
        model().evaluate(dataset, verbose=0)
    with pytest.raises(ValueError, match="a Bernoulli likelihood wants"):
        model().fit(kv.data.load(pixels), validation_data=dataset, verbose=0)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"x has shape \(None, 6, 6, 1\); wanted \(batch, 8, 8, 1\)"):
        model().fit(kv.data.load(np.full([4, 6, 6], 200, np.uint8)), verbose=0)


def test_labels_outside_the_condition_are_refused(pixels, labeled):
    dataset = kv.data.load(labeled, batch_size=16, with_labels=True)
    assert as_bytes(dataset, Bernoulli(EVENT), Label(10)) is not None
    with pytest.raises(ValueError, match=r"refuses this data: found the value [5-9]; a condition wants"):
        model(condition=Label(5)).fit(dataset, verbose=0)
    with pytest.raises(ValueError, match="the model has a condition; wanted batches of"):
        model(condition=Label(10)).fit(kv.data.load(pixels), verbose=0)
    with pytest.raises(ValueError, match="the model has a condition; wanted batches of"):
        model(condition=Vector(3)).fit(dataset, verbose=0)


@pytest.mark.parametrize("condition", [None, Label(10)])
@pytest.mark.stress
def test_fit_over_bytes_is_the_ordinary_fit(labeled, condition, monkeypatch):
    def load():
        return kv.data.load(labeled, batch_size=16, with_labels=condition is not None, seed=2)

    kinds = []
    ordinary_step = kv.VAE.train_step
    monkeypatch.setattr(
        kv.VAE, "train_step", lambda self, data: kinds.append(packed.is_packed(data)) or ordinary_step(self, data)
    )
    one, other = (model(condition=condition) for _ in range(2))
    start = flat(one)
    logs = one.fit(load(), epochs=2, validation_data=load(), verbose=0).history
    assert all(kinds)
    kinds.clear()
    same = (lambda x, y: (x, y)) if condition is not None else (lambda x: x)
    wanted = other.fit(load().map(same), epochs=2, validation_data=load().map(same), verbose=0).history
    assert kinds
    assert not any(kinds)
    assert np.abs(flat(one) - start).max() > 1e-2
    np.testing.assert_allclose(flat(one), flat(other), rtol=1e-5, atol=1e-6)
    assert logs.keys() == wanted.keys()
    for key in wanted:
        np.testing.assert_allclose(logs[key], wanted[key], rtol=1e-5, err_msg=key)
