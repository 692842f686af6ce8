"""`fit`, `evaluate`, `predict` and the steps of batches, done to a plain Keras model and to a VAE."""

import contextlib
import io

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_pairs.pairs import FIT, KINDS, X, build, flat, make


def test_history(model):
    history = model.fit(X, epochs=3, validation_data=(X,), **FIT)
    assert history is model.history
    assert history.epoch == [0, 1, 2]
    assert {"loss", "val_loss"} <= set(history.history)
    assert {len(values) for values in history.history.values()} == {3}
    assert all(isinstance(value, float) for values in history.history.values() for value in values)


def test_initial_epoch(model):
    assert model.fit(X, initial_epoch=2, epochs=5, **FIT).epoch == [2, 3, 4]


def test_no_epochs(model):
    assert model.fit(X, epochs=0, **FIT).history == {}


@pytest.mark.parametrize(("often", "times"), [(2, 2), ([1, 3, 4], 3)])
def test_validation_freq(model, often, times):
    history = model.fit(X, epochs=4, validation_data=(X,), validation_freq=often, **FIT).history
    assert len(history["val_loss"]) == times


def test_validation_split(model):
    assert "val_loss" in model.fit(X, validation_split=0.5, **FIT).history


def test_validation_batch_size_and_steps(model):
    assert "val_loss" in model.fit(X, validation_data=(X,), validation_batch_size=5, validation_steps=2, **FIT).history


def test_steps_per_epoch_of_endless_data(model):
    before = int(model.optimizer.iterations)
    data = tf.data.Dataset.from_tensor_slices(X).batch(10).repeat()
    model.fit(data, steps_per_epoch=3, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == before + 6


def test_class_weight(model):
    y = np.arange(20) % 2
    assert np.isfinite(model.fit(X, y, class_weight={0: 1.0, 1: 2.0}, **FIT).history["loss"]).all()


@pytest.mark.parametrize(("verbose", "wanted"), [(0, []), (1, ["Epoch 1/2", "2/2"]), (2, ["Epoch 2/2", "2/2 - "])])
def test_verbose(model, verbose, wanted):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        model.fit(X, epochs=2, **{**FIT, "verbose": verbose})
    text = printed.getvalue()
    assert all(part in text for part in [*wanted, *(["loss: "] if verbose else [])])
    assert bool(text) == bool(verbose)


def test_batch_steps(model):
    before = flat(model.get_weights())
    for found in (model.train_on_batch(X[:10], return_dict=True), model.test_on_batch(X[:10], return_dict=True)):
        assert isinstance(found, dict)
        assert isinstance(found["loss"], float)
    for found in (model.train_on_batch(X[:10]), model.test_on_batch(X[:10])):
        assert len(np.atleast_1d(found)) == len(model.metrics_names)
    assert model.predict_on_batch(X[:10]).shape == (10, 6)
    assert np.any(flat(model.get_weights()) != before)


def test_evaluate_by_position_and_as_a_dict(model):
    found = np.atleast_1d(model.evaluate(X, None, 10, 0))
    by_name = model.evaluate(X, batch_size=10, verbose=0, return_dict=True)
    assert set(by_name) == set(model.metrics_names)
    assert len(found) == len(by_name)
    assert "loss" in by_name


def test_evaluate_with_steps_and_callbacks(model):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: seen.append(batch))
    model.evaluate(tf.data.Dataset.from_tensor_slices(X).batch(5).repeat(), steps=3, callbacks=[callback], verbose=0)
    assert seen == [0, 1, 2]


def test_predict(model):
    assert model.predict(X, batch_size=7, verbose=0).shape == X.shape
    assert model.predict(tf.data.Dataset.from_tensor_slices(X).batch(7), verbose=0).shape == X.shape
    assert model(X[:3]).shape == model(X[:3], training=False).shape == (3, 6)


def test_metrics_and_their_reset(model):
    model.fit(X, **FIT)
    assert [metric.name for metric in model.metrics] == model.metrics_names
    assert float(model.metrics[0].result()) != 0
    model.reset_metrics()
    assert float(model.metrics[0].result()) == 0


def test_iterations_go_on_from_fit_to_fit(model):
    before = int(model.optimizer.iterations)
    model.fit(X, **FIT)
    model.fit(X, **FIT)
    assert int(model.optimizer.iterations) == before + 4


def test_a_learning_rate_of_0_leaves_the_weights(model):
    rate = float(model.optimizer.learning_rate)
    before = flat(variable.numpy() for variable in model.trainable_weights)
    model.optimizer.learning_rate = 0.0
    model.fit(X, **FIT)
    np.testing.assert_array_equal(flat(variable.numpy() for variable in model.trainable_weights), before)
    model.optimizer.learning_rate = rate


def test_a_generator_a_py_dataset_and_a_dataset(model):
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return (X[10 * index : 10 * index + 10],)

    for data in (((X[:10],) for _ in range(3)), Batches(), tf.data.Dataset.from_tensor_slices(X).batch(10)):
        assert np.isfinite(model.fit(data, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_random_seed_makes_training_reproducible(kind):
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        one = build(kind, seed=None)
        one.compile("adam", run_eagerly=True)
        one.fit(X, epochs=2, batch_size=10, verbose=0)
        found.append(flat(one.get_weights()))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("kind", KINDS)
def test_before_compile_only_predictions_work(kind):
    one = build(kind)
    assert one.predict(X, verbose=0).shape == X.shape
    for name in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=r"compile\(\)") as caught:
            getattr(one, name)(X)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_optimizer_only_evaluation_works(kind):
    one = make(kind, optimizer=None)
    assert np.isfinite(np.atleast_1d(one.evaluate(X, verbose=0))).all()
    with pytest.raises((ValueError, AttributeError), match=r"optimizer|NoneType"):
        one.fit(X, **FIT)


def test_a_loss_of_keras_is_refused_by_a_vae_since_its_objective_is_the_loss():
    with pytest.raises(ValueError, match=r"^VAE.compile: loss: expected None, .* received 'mse'\. Pass VAE\(objective"):
        make("vae", loss="mse")
