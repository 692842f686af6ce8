"""Freezing, optimizers, files and copies, done to a plain Keras model and to a VAE."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_pairs.pairs import FIT, KINDS, X, build, flat, make, moved

pytestmark = pytest.mark.parametrize("kind", KINDS)


def test_frozen_before_compile(kind):
    model = build(kind)
    model.encoder.trainable = False
    model.compile(keras.optimizers.Adam(0.1))
    assert moved(model, model.encoder) == 0
    assert moved(model, model.decoder) > 0


def test_frozen_and_thawed_after_compile(kind):
    """Before the first step it takes effect, and afterward once compiled again, as in Keras."""
    model = make(kind, run_eagerly=False)
    model.encoder.trainable = False
    assert moved(model, model.encoder) == 0
    model.encoder.trainable = True
    model.compile(keras.optimizers.SGD(0.1))
    assert moved(model, model.encoder) > 0
    model.encoder.trainable = False
    assert moved(model, model.encoder) > 0
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    assert moved(model, model.encoder) == 0


def test_frozen_compiled_and_thawed(kind):
    model = build(kind)
    model.encoder.trainable = False
    model.compile(keras.optimizers.Adam(0.1), run_eagerly=True)
    model.encoder.trainable = True
    assert moved(model, model.encoder) > 0


def test_everything_frozen(kind):
    model = make(kind)
    model.trainable = False
    model.compile("adam", run_eagerly=True)
    assert model.trainable_weights == []
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        history = model.fit(X, **FIT).history
    assert np.isfinite(history["loss"]).all()


def test_another_optimizer_before_the_first_step(kind):
    model = make(kind, run_eagerly=False)
    model.optimizer = keras.optimizers.SGD(0.0)
    assert moved(model, model.encoder) == 0


def test_another_optimizer_by_compiling_again(kind):
    model = make(kind)
    model.fit(X, **FIT)
    weights = model.get_weights()
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    np.testing.assert_array_equal(flat(model.get_weights()), flat(weights))
    assert int(model.optimizer.iterations) == 0
    assert moved(model, model.encoder) == 0


def step(kind, **arguments):
    """Return the trainable weights before and after one step of gradient descent."""
    model = make(kind, optimizer=keras.optimizers.SGD(**{"learning_rate": 1.0, **arguments}))
    before = [variable.numpy() for variable in model.trainable_weights]
    model.train_on_batch(X)
    return before, [variable.numpy() for variable in model.trainable_weights]


def test_gradient_clipping(kind):
    before, plain = step(kind)
    gradient = [a - b for a, b in zip(before, plain, strict=True)]
    norm = np.linalg.norm(flat(gradient))
    wanted = {
        "clipvalue": [np.clip(part, -1e-2, 1e-2) for part in gradient],
        "clipnorm": [part * min(1, 1e-2 / np.linalg.norm(part)) for part in gradient],
        "global_clipnorm": [part * 1e-2 / norm for part in gradient],
    }
    for name, clipped in wanted.items():
        before, after = step(kind, **{name: 1e-2})
        np.testing.assert_allclose(flat(before) - flat(after), flat(clipped), rtol=1e-3, atol=1e-6)


def test_weight_decay(kind):
    before, plain = step(kind, learning_rate=0.1)
    _, decayed = step(kind, learning_rate=0.1, weight_decay=0.5)
    np.testing.assert_allclose(flat(plain) - flat(decayed), 0.1 * 0.5 * flat(before), rtol=1e-4, atol=1e-6)


def test_gradient_accumulation(kind):
    model = make(kind, optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    before = flat(model.encoder.get_weights())
    model.train_on_batch(X)
    np.testing.assert_array_equal(flat(model.encoder.get_weights()), before)
    model.train_on_batch(X)
    assert np.abs(flat(model.encoder.get_weights()) - before).max() > 0


def test_exponential_moving_average(kind):
    """`fit` ends with the averages."""
    model = make(kind, optimizer=keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9))
    model.fit(X, epochs=2, **FIT)
    averages = [variable.numpy() for variable in model.optimizer._model_variables_moving_average]
    np.testing.assert_array_equal(flat(averages), flat(variable.numpy() for variable in model.trainable_weights))


def test_loss_scaling(kind):
    """Scaling changes no step; one that overflows is left out, and halves the scale."""
    steps = {}
    for scaled in (False, True):
        inner = keras.optimizers.SGD(0.1)
        optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**10) if scaled else inner
        model = make(kind, optimizer=optimizer)
        before = flat(model.encoder.get_weights())
        model.train_on_batch(X)
        steps[scaled] = flat(model.encoder.get_weights()) - before
    np.testing.assert_allclose(steps[True], steps[False], rtol=1e-3, atol=1e-6)
    optimizer.dynamic_scale.assign(np.inf)
    after = flat(model.encoder.get_weights())
    model.train_on_batch(X)
    np.testing.assert_array_equal(flat(model.encoder.get_weights()), after)


@pytest.mark.parametrize("jit", [True, False])
def test_jit_compile(kind, jit):
    model = make(kind, run_eagerly=False, jit_compile=jit)
    assert model.jit_compile is jit
    assert moved(model, model.encoder) > 0
    model.jit_compile = False
    assert model.jit_compile is False


def test_steps_per_execution(kind):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    model = make(kind, run_eagerly=False, steps_per_execution=2)
    model.fit(X, callbacks=[callback], **{**FIT, "batch_size": 5})
    assert seen == [1, 3]
    assert int(model.optimizer.iterations) == 4


def test_get_and_set_weights(kind):
    one, two = make(kind), build(kind)
    one.fit(X, **FIT)
    two.set_weights(one.get_weights())
    np.testing.assert_array_equal(flat(two.get_weights()), flat(one.get_weights()))
    if kind == "vae":  # whose predictions have no noise
        np.testing.assert_array_equal(two.predict(X, verbose=0), one.predict(X, verbose=0))


def test_save_and_load_weights(kind, tmp_path):
    one, two = make(kind), build(kind)
    one.fit(X, **FIT)
    one.save_weights(tmp_path / "a.weights.h5")
    two.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(flat(two.get_weights()), flat(one.get_weights()))


def test_save_and_load(kind, tmp_path):
    """A loaded model of a registered subclass trains on with its optimizer; without `compile` it says so."""
    model = make(kind, optimizer=keras.optimizers.Adam(0.01))
    model.fit(X, **FIT)
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert type(loaded) is type(model)
    state = [flat(variable.numpy() for variable in one.optimizer.variables) for one in (model, loaded)]
    np.testing.assert_array_equal(*state)
    loaded.fit(X, **FIT)
    assert int(loaded.optimizer.iterations) == 4
    bare = keras.saving.load_model(tmp_path / "a.keras", compile=False)
    with pytest.raises(ValueError, match=r"compile\(\)"):
        bare.fit(X, **FIT)
    bare.compile("sgd", run_eagerly=True)
    assert moved(bare, bare.encoder) > 0


def test_a_frozen_part_stays_so_in_the_file(kind, tmp_path):
    if kind == "plain":
        pytest.skip("the configuration of a subclassed Keras model has none of its layers")
    model = build(kind)
    model.encoder.trainable = False
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    model.fit(X, **FIT)
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert moved(loaded, loaded.encoder) == 0
    assert moved(loaded, loaded.decoder) > 0
    assert int(loaded.optimizer.iterations) == 6
    loaded.encoder.trainable = True
    loaded.compile("sgd", run_eagerly=True)
    assert moved(loaded, loaded.encoder) > 0


def test_config_and_clone(kind):
    model = make(kind)
    for other in (type(model).from_config(model.get_config()), keras.models.clone_model(model)):
        assert type(other) is type(model)
        if not other.built:
            other.build((None, 6))
        assert other.count_params() == model.count_params()


def test_copies(kind):
    model = make(kind)
    model.fit(X, **FIT)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other is not model
        np.testing.assert_array_equal(flat(other.get_weights()), flat(model.get_weights()))
        assert np.isfinite(other.fit(X, **FIT).history["loss"]).all()


def test_layers_counts_and_summary(kind):
    model = make(kind)
    lines = []
    model.summary(print_fn=lines.append)
    assert "Total params" in "\n".join(lines)
    assert model.count_params() == sum(int(tf.size(variable)) for variable in model.weights)
    assert len(model.weights) == len(model.trainable_weights) + len(model.non_trainable_weights)
    assert {"encoder", "decoder"} <= {layer.name for layer in model.layers} | {"encoder", "decoder"}
    assert model.get_layer("encoder") is model.encoder
    assert model.get_compile_config()["run_eagerly"] is True
