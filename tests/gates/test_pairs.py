"""Inputs that must agree in length, sample weights, latents and conditions: in process, in graphs and under XLA."""

import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from tests.gates.containers import refusal

X = (np.random.default_rng(0).random([6, 4]) < 0.5).astype(np.float32)
Y, Z, SEEDS = np.arange(6) % 3, np.zeros([6, 2], np.float32), np.arange(6)
BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


@pytest.fixture(scope="module")
def groups():
    return kv.models.vae((4,), latent_size=[3, 2], hidden=[3], upper_hidden=[3], seed=0)


def test_lengths_that_differ_in_process(conditional, eager, groups):
    calls = {
        "fit x, y": lambda: conditional.fit(X, Y[:4], verbose=0),
        "evaluate x, y": lambda: conditional.evaluate(X, Y[:4], verbose=0),
        "fit ignored y": lambda: eager.fit(X, Y[:4], verbose=0),
        "fit weight": lambda: conditional.fit(X, Y, sample_weight=np.ones(4), verbose=0),
        "evaluate weight": lambda: conditional.evaluate(X, Y, 2, 0, np.ones(4)),
        "validation y": lambda: conditional.fit(X, Y, validation_data=(X, Y[:4]), verbose=0),
        "validation weight": lambda: conditional.fit(X, Y, validation_data=(X, Y, np.ones(4)), verbose=0),
        "validation of four": lambda: conditional.fit(X, Y, validation_data=(X, Y, Y, Y), verbose=0),
        "train_on_batch": lambda: conditional.train_on_batch(X, Y[:4]),
        "train_on_batch weight": lambda: conditional.train_on_batch(X, Y, np.ones(4)),
        "test_on_batch": lambda: conditional.test_on_batch(X, Y[:4]),
        "predict": lambda: conditional.predict((X, Y[:4]), verbose=0),
        "predict of three": lambda: conditional.predict((X, Y, Y), verbose=0),
        "predict_on_batch": lambda: conditional.predict_on_batch((X, Y[:4])),
        "call": lambda: conditional((X, Y[:4])),
        "call without y": lambda: conditional(X),
        "call with y": lambda: eager((X, Y)),
        "encode": lambda: conditional.encode(X, condition=Y[:4]),
        "decode": lambda: conditional.decode(Z, condition=Y[:4]),
        "reconstruct": lambda: conditional.reconstruct(X, condition=Y[:4]),
        "infer": lambda: conditional.infer(X, condition=Y[:4]),
        "log_weights": lambda: conditional.log_weights(X, condition=Y[:4]),
        "likelihood": lambda: conditional.likelihood(Z, condition=Y[:4]),
        "generate": lambda: conditional.generate(SEEDS, condition=Y[:4]),
        "sample": lambda: conditional.sample(6, condition=Y[:4]),
        "sample_prior": lambda: conditional.sample_prior(6, seed=0, condition=Y[:4]),
        "score seeds": lambda: conditional.score(X, seeds=SEEDS[:4], condition=Y),
        "score more seeds": lambda: conditional.score(X[:4], seeds=SEEDS, condition=Y[:4]),
        "score condition": lambda: conditional.score(X, seeds=SEEDS, condition=Y[:4]),
        "groups": lambda: groups.decode({"z1": np.zeros([6, 3]), "z2": np.zeros([4, 2])}),
        "log_likelihood": lambda: kv.evaluation.log_likelihood(conditional, (X, Y[:4]), num_samples=2, verbose=False),
        "activity": lambda: kv.latent.activity(conditional, X, condition=Y[:4]),
        "Monitor": lambda: conditional.fit(X, Y, callbacks=[kv.training.Monitor(X, condition=Y[:4])], verbose=0),
        "y column": lambda: conditional.fit(X, Y[:, None], verbose=0),
        "weight column": lambda: conditional.fit(X, Y, sample_weight=np.ones([6, 1]), verbose=0),
    }
    assert not {name: wrong for name, call in calls.items() if (wrong := refusal(call))}


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0, "a", None])
def test_sample_weights_are_numbers_that_can_weigh(eager, weight):
    given = np.ones(6).astype(object if weight is None else type(weight))
    given[5] = weight
    calls = {
        "fit": lambda: eager.fit(X, sample_weight=given, verbose=0),
        "evaluate": lambda: eager.evaluate(X, sample_weight=given, verbose=0),
        "validation": lambda: eager.fit(X, validation_data=(X, None, given), verbose=0),
        "train_on_batch": lambda: eager.train_on_batch(X, sample_weight=given),
        "test_on_batch": lambda: eager.test_on_batch(X, sample_weight=given),
        "generator": lambda: eager.fit(((X, X, given) for _ in range(2)), verbose=0),
    }
    if weight is not None:
        batches = tf.data.Dataset.from_tensor_slices((X, X, given)).batch(3)
        calls["dataset"] = lambda: eager.fit(batches, verbose=0)
    assert not {name: wrong for name, call in calls.items() if (wrong := refusal(call))}


def test_batches_whose_parts_differ_in_length(conditional):
    def batches(x, y, weight):
        specs = (tf.TensorSpec([None, 4]), tf.TensorSpec([None], tf.int64), tf.TensorSpec([None]))
        return tf.data.Dataset.from_generator(lambda: iter([(x, y, weight)]), output_signature=specs)

    ones = np.ones(6, np.float32)
    conditional.fit(batches(X, Y, ones), verbose=0)
    for bad in ((X, Y[:4], ones), (X, Y, ones[:4]), (X[:4], Y, ones[:4])):
        assert not refusal(lambda bad=bad: conditional.fit(batches(*bad), verbose=0))
    wide = tf.data.Dataset.from_tensor_slices((X, Y, np.ones([6, 1]))).batch(3)
    assert not refusal(lambda: conditional.fit(wide, verbose=0))


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_latents_that_are_not_finite(eager, groups, value):
    z = Z.copy()
    z[5, 1] = value
    by_group = {"z1": np.zeros([6, 3], np.float32), "z2": z}
    inference = eager.infer(X)
    calls = {
        "decode": lambda: eager.decode(z),
        "likelihood": lambda: eager.likelihood(z),
        "groups": lambda: groups.decode(by_group),
        "likelihood of groups": lambda: groups.likelihood(by_group),
        "densities": lambda: inference.densities(z[None]),
        "log_likelihood": lambda: inference.log_likelihood(z[None]),
        "interpolate": lambda: kv.latent.interpolate_latents(z[5], z[0]),
    }
    assert not {name: wrong for name, call in calls.items() if (wrong := refusal(call))}


@pytest.mark.parametrize(
    "z", [None, "z", Z[0], Z[None], Z[:, :1], Z.astype(str), Z.astype(complex), {"a": Z}, [Z, Z[:1]], np.zeros]
)
def test_what_is_no_latent(eager, z):
    assert not refusal(lambda: eager.decode(z))


@pytest.mark.parametrize("seeds", [3, "a", [[1]], ["a"], None, {}, np.array([1, "a"], object), [None]], ids=repr)
def test_what_is_no_seeds(eager, seeds):
    assert not refusal(lambda: eager.generate(seeds))
    assert not refusal(lambda: eager.score(X[:1], seeds=seeds))


@pytest.mark.parametrize("condition", ["a", ["a"] * 6, {}, [[0], [1, 2]], np.full(6, None), np.full(6, np.nan)])
def test_what_is_no_condition(conditional, condition):
    for call in (
        lambda: conditional.encode(X, condition=condition),
        lambda: conditional.generate(SEEDS, condition=condition),
        lambda: conditional.sample(6, condition=condition),
        lambda: conditional.fit(X, condition, verbose=0),
        lambda: kv.latent.activity(conditional, X, condition=condition),
    ):
        assert not refusal(call)


def graphs(model, x_shape=(None, 4), z_shape=(None, 2), jit_compile=False):
    """The methods as graphs with an unknown batch, as an export has them."""
    x, z = tf.TensorSpec(x_shape), tf.TensorSpec(z_shape)
    y, seeds = tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.int64)

    def graph(function, *specs):
        return tf.function(function, input_signature=specs, jit_compile=jit_compile)

    return {
        "call": graph(lambda x, y: model((x, y)), x, y),
        "encode": graph(lambda x, y: model.encode(x, condition=y), x, y),
        "reconstruct": graph(lambda x, y: model.reconstruct(x, condition=y), x, y),
        "decode": graph(lambda z, y: model.decode(z, condition=y), z, y),
        "generate": graph(lambda s, y: model.generate(s, condition=y), seeds, y),
        "score": graph(lambda x, s, y: model.score(x, seeds=s, num_samples=2, condition=y), x, seeds, y),
    }


def bad_calls(value):
    """Arguments by method with the fifth row spoiled, and arguments whose lengths differ."""
    x, z, y = X.copy(), Z.copy(), Y.copy()
    x[5, 1] = z[5, 1] = value
    y[5] = 3
    spoiled = {
        "call": [(x, Y), (X, y)],
        "encode": [(x, Y), (X, y)],
        "reconstruct": [(x, Y), (X, y)],
        "decode": [(z, Y), (Z, y)],
        "generate": [(SEEDS, y)],
        "score": [(x, SEEDS, Y), (X, SEEDS, y)],
    }
    apart = {
        "call": [(X, Y[:4]), (X[:4], Y)],
        "encode": [(X, Y[:4]), (X[:1], Y)],
        "reconstruct": [(X, Y[:4]), (X, Y[:1])],
        "decode": [(Z, Y[:4]), (Z[:4], Y)],
        "generate": [(SEEDS, Y[:4]), (SEEDS[:4], Y), (SEEDS, Y[:1])],
        "score": [(X, SEEDS[:4], Y), (X[:4], SEEDS, Y[:4]), (X, SEEDS, Y[:4]), (X, SEEDS[:1], Y)],
    }
    return spoiled, apart


def test_a_graph_refuses_in_one_line_of_its_own(conditional):
    functions = graphs(conditional)
    for value in BAD.values():
        spoiled, apart = bad_calls(value)
        for name, function in functions.items():
            for arguments in spoiled[name] + apart[name]:
                with pytest.raises(tf.errors.InvalidArgumentError) as error:
                    function(*map(tf.constant, arguments))
                (line,) = [line for line in str(error.value).split("\n") if "assertion failed: [" in line]
                assert "expected" in line, line
                assert "received" in line, line


def test_xla_drops_assertions_so_bad_rows_are_nan(conditional):
    spoiled, apart = bad_calls(np.nan)
    for name, function in graphs(conditional, jit_compile=True).items():
        for arguments in spoiled[name]:
            found = tf.nest.flatten(function(*map(tf.constant, arguments)))
            for value in found:
                missing = np.isnan(value).reshape(6, -1)
                assert missing[5].all(), name
                assert not missing[:5].any(), name
        for arguments in apart[name][:2]:
            with pytest.raises(tf.errors.InvalidArgumentError):
                function(*map(tf.constant, arguments))
