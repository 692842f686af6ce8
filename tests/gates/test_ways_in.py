"""Every way into a model, by every kind of bad data: one line that says expected, received and what to do."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import keras_vae as kv
from tests.gates.containers import ARRAYS, FLOWS, NOT_A_FLOW, NOT_X, ArrayLike, hdf5, refusal

X = (np.random.default_rng(0).random([20, 4]) < 0.5).astype(np.float32)
Y = np.arange(20) % 3


@pytest.fixture(scope="module")
def vae():
    model = kv.models.vae((4,), latent_size=2, hidden=[3], seed=0)
    model.compile()
    return model


# Ways in for whole data sets, arrays or batches.
SETS = {
    "fit": lambda m, x: m.fit(x, verbose=0),
    "fit-validation": lambda m, x: m.fit(X, validation_data=x, verbose=0),
    "fit-validation-tuple": lambda m, x: m.fit(X, validation_data=(x,), verbose=0),
    "evaluate": lambda m, x: m.evaluate(x, verbose=0),
    "predict": lambda m, x: m.predict(x, verbose=0),
    "log_likelihood": lambda m, x: kv.evaluation.log_likelihood(m, x, num_samples=2, verbose=False),
}

# Ways in for one array.
ONE_ARRAY = {
    "fit-split": lambda m, x: m.fit(x, validation_split=0.25, verbose=0),
    "fit-weighted": lambda m, x: m.fit(x, sample_weight=np.ones(20), verbose=0),
    "train_on_batch": lambda m, x: m.train_on_batch(x),
    "test_on_batch": lambda m, x: m.test_on_batch(x),
    "predict_on_batch": lambda m, x: m.predict_on_batch(x),
    "call": lambda m, x: m(x),
    "encode": lambda m, x: m.encode(x),
    "reconstruct": lambda m, x: m.reconstruct(x),
    "score": lambda m, x: m.score(x, seeds=np.arange(20), num_samples=2),
    "infer": lambda m, x: m.infer(x),
    "posterior": lambda m, x: m.posterior(x),
    "log_weights": lambda m, x: m.log_weights(x),
    "activity": lambda m, x: kv.latent.activity(m, x),
    "edit": lambda m, x: kv.latent.edit(m, x, {0: 1.0}),
    "add_attribute": lambda m, x: kv.latent.add_attribute(m, x, [1.0, 0.0]),
    "attribute_vector": lambda m, x: kv.latent.attribute_vector(m, x_with=X, x_without=x),
    "codes": lambda m, x: kv.evaluation.rate_distortion(m, x, num_samples=2, verbose=False),
    "Monitor": lambda m, x: m.fit(X, callbacks=[kv.training.Monitor(x)], verbose=0),
}


def spoiled(value):
    x = X.copy()
    x[17, 2] = value
    return x


def failures(model, ways, make):
    found = {name: refusal(lambda way=way: way(model, make())) for name, way in ways.items()}
    return {name: wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
@pytest.mark.parametrize("kind", ARRAYS)
def test_bad_values_in_arrays(vae, kind, value):
    assert not failures(vae, SETS | ONE_ARRAY, lambda: ARRAYS[kind](spoiled(value)))


@pytest.mark.parametrize(
    ("kind", "value"), [*((kind, np.nan) for kind in FLOWS), ("dataset", 0.5), ("generator", np.inf)]
)
def test_bad_values_in_batches(eager, kind, value):
    ways = {name: way for name, way in SETS.items() if "tuple" not in name}
    assert not failures(eager, ways, lambda: FLOWS[kind](spoiled(value), None))


@pytest.mark.parametrize("kind", NOT_X)
def test_what_is_no_array(vae, kind):
    ways = {name: way for name, way in SETS.items() if kind != "none" or "validation" not in name} | ONE_ARRAY
    assert not failures(vae, ways, lambda: NOT_X[kind](X))


@pytest.mark.parametrize("kind", NOT_A_FLOW)
def test_what_is_no_data_set(eager, kind):
    assert not failures(eager, SETS, lambda: NOT_A_FLOW[kind](X))


def test_batches_are_no_array(vae):
    ways = {name: ONE_ARRAY[name] for name in ("train_on_batch", "test_on_batch", "call", "encode", "score")}
    for kind in FLOWS:
        assert not failures(vae, ways, lambda kind=kind: FLOWS[kind](X, None))


def test_lists_are_several_inputs_to_keras(vae):
    ways = {name: way for name, way in SETS.items() if "validation" not in name}
    on_batch = {name: way for name, way in ONE_ARRAY.items() if "on_batch" in name or "fit" in name}
    for several in ([X], (X,), list(X), [], ()):
        assert not failures(vae, ways | on_batch, lambda several=several: several)


def test_good_values_of_every_container_give_the_same(eager):
    encoded, reconstructed = eager.encode(X), eager.reconstruct(X)
    wanted = eager.evaluate(X, batch_size=5, verbose=0)
    for name, make in ARRAYS.items():
        found = eager.evaluate(make(X), batch_size=5, verbose=0)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=name)
        np.testing.assert_array_equal(eager.encode(make(X))["mean"], encoded["mean"], name)
        np.testing.assert_array_equal(eager(make(X)), reconstructed, name)
        np.testing.assert_array_equal(eager.predict_on_batch(make(X)), reconstructed, name)
        np.testing.assert_array_equal(eager.infer(make(X)).x, X, name)
        eager.test_on_batch(make(X))
    for name, make in FLOWS.items():
        np.testing.assert_allclose(eager.evaluate(make(X, None), verbose=0), wanted, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(eager.predict(make(X, None), verbose=0), reconstructed, rtol=1e-5, err_msg=name)
    assert eager.encode(X.tolist())["mean"].shape == (20, 2)


@pytest.mark.stress
def test_every_container_trains(eager):
    for make in (*ARRAYS.values(), pd.DataFrame):
        eager.train_on_batch(make(X))
    for make in (pd.DataFrame, hdf5):
        eager.fit(make(X), validation_data=make(X), sample_weight=np.ones(20), verbose=0)
        eager.fit(make(X), validation_split=0.5, verbose=0)
    for make in FLOWS.values():
        eager.fit(make(X, None), verbose=0)
    kinds = {
        "a": pd.array([1, 0, 1], "Int64"),
        "b": [True, False, True],
        "c": [0.0, 1.0, 1.0],
        "d": np.uint8([1, 1, 0]),
    }
    eager.fit(pd.DataFrame(kinds), verbose=0)


@pytest.mark.stress
def test_y_and_weights_of_every_container(conditional):
    wanted = conditional.evaluate(X, Y, batch_size=5, verbose=0)
    ys = [
        Y.astype(np.uint8),
        Y.tolist(),
        pd.Series(Y),
        pd.Series(Y, dtype="category"),
        hdf5(Y),
        ArrayLike(Y),
        tf.constant(Y),
    ]
    for y in ys:
        found = conditional.evaluate(pd.DataFrame(X), y, batch_size=5, verbose=0)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=type(y).__name__)
        conditional.train_on_batch(X, y, y)
        assert conditional.predict_on_batch((X, y)).shape == (20, 4)
        assert conditional((X, y)).shape == (20, 4)
        assert conditional.encode(X, condition=y)["mean"].shape == (20, 2)
        wanted = conditional.evaluate(X, Y, batch_size=5, verbose=0)
    conditional.fit(pd.DataFrame(X), pd.Series(Y), sample_weight=pd.Series(Y), validation_split=0.5, verbose=0)
    wanted = conditional.evaluate(X, Y, batch_size=5, verbose=0)
    for name, make in FLOWS.items():
        np.testing.assert_allclose(conditional.evaluate(make(X, Y), verbose=0), wanted, rtol=1e-6, err_msg=name)
        assert not refusal(lambda make=make: conditional.evaluate(make(X, None), verbose=0))
    weight = np.linspace(0, 1, 20)
    weighted = tf.data.Dataset.from_tensor_slices((X, Y, weight)).batch(20)
    np.testing.assert_allclose(
        conditional.evaluate(weighted, verbose=0),
        conditional.evaluate(X, Y, sample_weight=weight, batch_size=20, verbose=0),
        rtol=1e-6,
    )
