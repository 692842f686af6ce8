"""Keras's callbacks, given to a plain Keras model and to a VAE."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_pairs.pairs import FIT, KINDS, X, flat, make


def events(path):
    """Return (tag, step) of all scalars in TensorBoard's files."""
    return [
        (value.tag, event.step)
        for file in sorted(path.glob("*.v2"))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    ]


def test_early_stopping(model):
    callback = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=2, restore_best_weights=True)
    assert len(model.fit(X, epochs=9, callbacks=[callback], **FIT).epoch) == 3
    assert callback.stopped_epoch == 2


def test_early_stopping_on_validation(model):
    callback = keras.callbacks.EarlyStopping(min_delta=1e9, patience=1)
    assert len(model.fit(X, epochs=9, validation_data=(X,), callbacks=callback, **FIT).epoch) == 2


def test_reduce_learning_rate_on_plateau(model):
    callback = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    history = model.fit(X, epochs=4, callbacks=[callback], **FIT).history
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.1, 0.05, 0.025])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0125)
    model.optimizer.learning_rate = 0.1


def test_learning_rate_scheduler(model):
    callback = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (1 + epoch))
    history = model.fit(X, epochs=3, callbacks=[callback], **FIT).history
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.05, 0.1 / 3])
    model.optimizer.learning_rate = 0.1


def test_csv_logger(model, tmp_path):
    history = model.fit(X, epochs=2, callbacks=[keras.callbacks.CSVLogger(tmp_path / "log.csv")], **FIT).history
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    np.testing.assert_allclose([float(row["loss"]) for row in rows], history["loss"], rtol=1e-6)


def test_terminate_on_nan_lets_good_training_end(model):
    assert len(model.fit(X, epochs=2, callbacks=[keras.callbacks.TerminateOnNaN()], **FIT).epoch) == 2


def test_lambda_callback(model):
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(("epoch", epoch)),
        on_train_batch_end=lambda batch, logs: seen.append(("batch", batch, "loss" in logs)),
    )
    model.fit(X, epochs=2, callbacks=[callback], **FIT)
    assert seen == [
        ("batch", 0, True),
        ("batch", 1, True),
        ("epoch", 0),
        ("batch", 0, True),
        ("batch", 1, True),
        ("epoch", 1),
    ]


def test_a_user_s_callback_sees_each_batch_and_can_stop(model):
    class Stop(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_train_begin(self, logs=None):
            self.first = int(self.model.optimizer.iterations)

        def on_train_batch_end(self, batch, logs=None):
            self.seen.append((batch, int(self.model.optimizer.iterations) - self.first))
            self.model.stop_training = batch == 2

    callback = Stop()
    model.fit(X, epochs=3, callbacks=[callback], **{**FIT, "batch_size": 4})
    assert callback.seen == [(0, 1), (1, 2), (2, 3)]


def test_stop_training_at_the_end_of_an_epoch(model):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    assert model.fit(X, epochs=5, callbacks=[Stop()], **FIT).epoch == [0, 1]


def test_a_callback_may_change_the_logs_of_an_epoch(model):
    class Add(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["added"] = float(epoch)

    assert model.fit(X, epochs=2, callbacks=[Add()], **FIT).history["added"] == [0.0, 1.0]


def test_model_checkpoint_after_epochs(model, tmp_path):
    callback = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    model.fit(X, epochs=2, callbacks=[callback], **FIT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.keras", "2.keras"]
    loaded = keras.saving.load_model(tmp_path / "2.keras")
    np.testing.assert_array_equal(flat(loaded.get_weights()), flat(model.get_weights()))


def test_model_checkpoint_of_weights_of_the_best(model, tmp_path):
    path = tmp_path / "best.weights.h5"
    callback = keras.callbacks.ModelCheckpoint(path, "loss", mode="max", save_best_only=True, save_weights_only=True)
    model.fit(X, epochs=2, callbacks=[callback], **FIT)
    model.load_weights(path)


def test_model_checkpoint_after_batches(model, tmp_path):
    callback = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}-{batch}.weights.h5", save_freq=3, save_weights_only=True
    )
    model.fit(X, epochs=2, callbacks=[callback], **{**FIT, "batch_size": 5})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-3.weights.h5", "2-2.weights.h5"]


def test_tensorboard(model, tmp_path):
    callback = keras.callbacks.TensorBoard(tmp_path, update_freq=2, write_graph=False)
    model.fit(X, epochs=2, validation_data=(X,), callbacks=[callback], **{**FIT, "batch_size": 5})
    found = events(tmp_path / "train")
    assert [step for tag, step in found if tag == "batch_loss"] == [2, 4, 6, 8]
    assert [step for tag, step in found if tag == "epoch_loss"] == [0, 1]
    assert [step for tag, step in events(tmp_path / "validation") if tag == "epoch_loss"] == [0, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_backup_and_restore(kind, tmp_path):
    """A run that is killed in its third epoch goes on there."""

    class Killed(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(kind).fit(X, epochs=4, callbacks=[keras.callbacks.BackupAndRestore(tmp_path), Killed()], **FIT)
    again = make(kind)
    assert again.fit(X, epochs=4, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)], **FIT).epoch == [2, 3]
    assert int(again.optimizer.iterations) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_swap_ema_weights(kind):
    """Epochs end with the averages, and so does training; steps go on from the weights."""

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.raw = flat(self.model.encoder.get_weights())

        def on_epoch_end(self, epoch, logs=None):
            self.average = flat(self.model.encoder.get_weights())

    model, note = make(kind, optimizer=keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)), Note()
    model.fit(X, epochs=2, callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True), note], **FIT)
    assert np.abs(note.average - note.raw).max() > 0
    np.testing.assert_array_equal(flat(model.encoder.get_weights()), note.average)


def test_a_callback_list_of_ones_own(model):
    callbacks = keras.callbacks.CallbackList([], add_history=True, model=model, epochs=1, steps=2, verbose=0)
    assert "loss" in model.fit(X, callbacks=callbacks, **FIT).history


def test_a_callback_may_predict_and_evaluate(model):
    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.found = self.model.evaluate(X, verbose=0, return_dict=True), self.model.predict(X, verbose=0)

    callback = Look()
    model.fit(X, epochs=2, validation_data=(X,), callbacks=[callback], **FIT)
    assert np.isfinite(callback.found[0]["loss"])
    assert callback.found[1].shape == X.shape
