import json

import keras
import numpy as np
import pytest
from filelock import FileLock

import keras_vae as kv
from keras_vae.training import Checkpoint, HistoryFile, Run, RunConfig, read_history, restore
from keras_vae.training.checkpoint import checkpoints
from tests.short_runs import config


def weights(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def test_a_run_leaves_config_model_history_and_pictures(digits, tmp_path):
    run = Run(tmp_path / "run")
    model = run.train(config(digits), epochs=2)
    assert RunConfig.read(run.config_path) == config(digits)
    np.testing.assert_array_equal(weights(run.load_model()), weights(model))
    history = read_history(run.history_path)
    assert [e["epoch"] for e in history] == [1, 2]
    assert {"bound", "kl", "reconstruction", "val_bound"} <= set(history[0])
    events = b"".join(p.read_bytes() for p in run.log_dir.rglob("events*"))
    for tag in (b"epoch_bound", b"samples", b"reconstructions"):
        assert tag in events


@pytest.mark.stress
def test_an_interrupted_run_ends_as_an_undisturbed_one(digits, tmp_path):
    undisturbed = Run(tmp_path / "a").train(config(digits), epochs=4)
    run = Run(tmp_path / "b")
    run.train(config(digits), epochs=2)
    resumed = run.train(config(digits), epochs=4)
    np.testing.assert_allclose(weights(resumed), weights(undisturbed), rtol=1e-5, atol=1e-6)
    mine, theirs = read_history(tmp_path / "a" / "history.json"), read_history(tmp_path / "b" / "history.json")
    assert [e["epoch"] for e in theirs] == [1, 2, 3, 4]
    np.testing.assert_allclose([e["bound"] for e in mine], [e["bound"] for e in theirs], rtol=1e-4)


def test_a_finished_run_is_not_trained_again(digits, tmp_path):
    run = Run(tmp_path / "run")
    first = weights(run.train(config(digits), epochs=2))
    np.testing.assert_array_equal(weights(run.train(config(digits), epochs=2)), first)


def test_other_settings_are_refused_and_shown(digits, tmp_path):
    run = Run(tmp_path / "run")
    run.train(config(digits), epochs=1)
    with pytest.raises(ValueError, match="--latent: 2 → 3"):
        run.train(config(digits, latent_size=3), epochs=2)
    assert RunConfig.read(run.config_path) == config(digits)


class _InterruptIn(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.current = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.current == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [pytest.param(0, marks=pytest.mark.stress), 1])
def test_ctrl_c_leaves_a_usable_model_and_the_run_goes_on(digits, tmp_path, monkeypatch, epoch):
    run = Run(tmp_path / "run")
    callbacks = Run._callbacks
    monkeypatch.setattr(Run, "_callbacks", lambda *a: [*callbacks(*a), _InterruptIn(epoch)])
    with pytest.raises(KeyboardInterrupt):
        run.train(config(digits), epochs=3)
    assert run.load_model().sample(2, seed=0).shape == (2, 8, 8, 1)
    monkeypatch.setattr(Run, "_callbacks", callbacks)
    run.train(config(digits), epochs=3)
    assert [e["epoch"] for e in read_history(run.history_path)] == [1, 2, 3]


def test_two_checkpoints_are_kept_and_a_broken_one_is_passed_over(binary_images, tmp_path):
    vae = kv.models.vae((8, 8, 1), latent_size=2, hidden=[8], seed=0)
    vae.compile()
    vae.fit(binary_images, epochs=3, verbose=0, callbacks=[Checkpoint(tmp_path)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch-00002.keras", "epoch-00003.keras"]
    model, epoch = restore(tmp_path)
    assert epoch == 3
    np.testing.assert_array_equal(weights(model), weights(vae))

    newest = checkpoints(tmp_path)[0]
    newest.write_bytes(newest.read_bytes()[:-1000])
    with pytest.warns(UserWarning, match=r"epoch-00003\.keras cannot be loaded"):
        assert restore(tmp_path)[1] == 2
    for path in checkpoints(tmp_path):
        path.write_bytes(b"rubbish")
    with (
        pytest.warns(UserWarning, match="cannot be loaded"),
        pytest.raises(ValueError, match="expected a checkpoint that can be loaded, received none"),
    ):
        restore(tmp_path)
    assert restore(tmp_path / "nowhere") is None


def test_history_drops_what_a_resumed_run_repeats(tmp_path):
    path = tmp_path / "history.json"
    path.write_text(json.dumps([{"epoch": e, "bound": float(e)} for e in (1, 2, 3)]))
    callback = HistoryFile(path, initial_epoch=2)
    callback.on_epoch_end(2, {"bound": -1.0})
    assert read_history(path) == [{"epoch": 1, "bound": 1.0}, {"epoch": 2, "bound": 2.0}, {"epoch": 3, "bound": -1.0}]


def test_a_damaged_history_is_named(tmp_path):
    path = tmp_path / "history.json"
    for text in ("[{", "[1]", '[{"bound": 1}]'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"history\.json: expected a history of keras_vae, received another file"):
            read_history(path)


class _Spoil(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.decoder.head.bias.assign(np.full(64, np.nan))


@pytest.mark.stress
def test_a_loss_that_turns_nan_stops_before_the_checkpoint(digits, tmp_path, monkeypatch):
    run = Run(tmp_path / "run")
    run.train(config(digits), epochs=1)
    callbacks = Run._callbacks
    monkeypatch.setattr(Run, "_callbacks", lambda *a: [_Spoil(), *callbacks(*a)])
    with pytest.raises(ValueError, match="the loss in batch 1 of the epoch: expected finite values, received loss nan"):
        run.train(config(digits), epochs=3)
    assert [p.name for p in checkpoints(run.checkpoint_dir)] == ["epoch-00001.keras"]
    assert np.all(np.isfinite(weights(run.load_model())))


def test_a_run_in_use_is_refused(digits, tmp_path):
    run = Run(tmp_path / "run")
    run.train(config(digits), epochs=1)
    left = run.checkpoint_dir / ".epoch-00009.unfinished-1.keras"
    left.write_bytes(b"half")
    run.train(config(digits), epochs=1)
    assert not left.exists()
    with FileLock(run.lock_path), pytest.raises(ValueError, match="received one that another process uses"):
        run.train(config(digits), epochs=2)


def test_training_leaves_the_dtype_policy_alone_and_the_model_keeps_its_own(digits, tmp_path):
    run = Run(tmp_path / "run")
    model = run.train(config(digits, precision="mixed_bfloat16"), epochs=1)
    assert keras.config.dtype_policy().name == "float32"
    assert {model.encoder.head.compute_dtype, model.decoder.network.hidden[0].compute_dtype} == {"bfloat16"}


def test_a_config_that_is_none_is_refused(tmp_path):
    path = tmp_path / "config.json"
    for text in ("{", "[]", '{"data": "mnist_5k"}', '{"surprise": 1, "hidden": null, "image_size": null}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="expected the settings of a keras_vae run"):
            RunConfig.read(path)
