"""Several steps in one call of TensorFlow: the same training, and nobody notices."""

import contextlib
import io
import logging.handlers
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.trainer.compiled_steps import Steps, most_at_once


class EachBatch(keras.callbacks.Callback):
    """Notes each batch that it is told of, and the model's steps by then."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, int(self.model._steps)))


class EachEpoch(keras.callbacks.Callback):
    """Notes the model's steps at each epoch's end, and how many it takes at once."""

    def __init__(self):
        super().__init__()
        self.steps, self.pace = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.steps.append(int(self.model._steps))
        self.pace.append(self.model.train_function.most)


class WithItsOwnLog(kv.VAE):
    def train_step(self, data):
        return {**super().train_step(data), "pixels_on": tf.reduce_sum(data)}


def model(kind=kv.VAE, **compiled):
    keras.utils.set_random_seed(3)
    vae = kind(
        encoder=kv.Encoder(kv.networks.MLP([8]), kv.families.Normal(2)),
        decoder=kv.Decoder(kv.networks.MLP([8]), kv.families.Bernoulli((8, 8, 1))),
        seed=5,
    )
    vae.compile(keras.optimizers.Adam(1e-2), **compiled)
    return vae


def flat(vae):
    return np.concatenate([w.ravel() for w in vae.get_weights()])


@pytest.fixture
def batches(binary_images):
    """Of 9, 9, 9, 9, 9, 9, 9 and 1 images: no multiple of 5 or 32."""
    return tf.data.Dataset.from_tensor_slices(binary_images).batch(9)


def test_any_number_of_steps_at_once_trains_alike(batches):
    found = {}
    for count in (1, 5, 32):
        vae = model(**({} if count is None else {"steps_per_execution": count}))
        logs = vae.fit(batches, epochs=2, validation_data=batches.take(3), verbose=0).history
        evaluated = vae.evaluate(batches, verbose=0, return_dict=True)
        assert int(vae._steps) == 16
        found[count] = flat(vae), logs, evaluated
    weights, logs, evaluated = found[1]
    assert np.abs(weights - flat(model())).max() > 1e-2
    for others in found.values():
        np.testing.assert_allclose(others[0], weights, rtol=1e-5, atol=1e-6)
        assert others[1].keys() == logs.keys()
        for key in logs:
            np.testing.assert_allclose(others[1][key], logs[key], rtol=1e-5, err_msg=key)
        for key in evaluated:
            np.testing.assert_allclose(others[2][key], evaluated[key], rtol=1e-5, err_msg=key)


def test_the_reported_loss_is_the_mean_over_all_examples(binary_images):
    """With a learning rate of 0 the bound of an epoch is that of its 64 examples: each counts once."""
    vae = model(steps_per_execution=5)
    vae.optimizer.learning_rate = 0.0
    kl = vae.fit(binary_images, batch_size=9, shuffle=False, verbose=0).history["kl"][0]
    exact = vae.posterior(binary_images).kl_divergence(vae.prior_distribution()).numpy().mean()
    np.testing.assert_allclose(kl, exact, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 6, 37, 64])
def test_an_epoch_of_an_endless_dataset_has_exactly_its_steps(batches, steps):
    vae, noted = model(), EachEpoch()
    vae.fit(batches.repeat(), steps_per_epoch=steps, epochs=2, callbacks=[noted], verbose=0)
    assert noted.steps == [steps, 2 * steps]
    assert noted.pace == [32, 32]


def test_validation_steps_are_exact_too(batches):
    vae = model()
    vae.optimizer.learning_rate = 0.0
    logs = vae.fit(
        batches.repeat(),
        steps_per_epoch=8,
        validation_data=batches.repeat(),
        validation_steps=3,
        verbose=0,
    ).history
    kl = vae.evaluate(batches.take(3), verbose=0, return_dict=True)["kl"]
    np.testing.assert_allclose(logs["val_kl"][0], kl, rtol=1e-5)


def test_a_users_callback_is_called_once_a_batch(batches):
    vae, noted = model(), EachBatch()
    vae.fit(batches, epochs=2, callbacks=noted, verbose=0)
    assert noted.seen == [(i % 8, i + 1) for i in range(16)]


def test_a_users_callback_is_called_once_a_batch_though_given_by_position(batches):
    vae, noted = model(), EachBatch()
    vae.fit(batches, None, None, 1, 0, [noted])
    assert noted.seen == [(i, i + 1) for i in range(8)]


def test_what_watches_batches_and_what_does_not(tmp_path):
    keras_own = [
        keras.callbacks.EarlyStopping("loss"),
        keras.callbacks.ModelCheckpoint(tmp_path / "a.keras"),
        keras.callbacks.TensorBoard(tmp_path),
        keras.callbacks.ProgbarLogger(),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
    ]
    assert most_at_once(keras_own) == most_at_once(None) == most_at_once(EachEpoch()) == 32
    watching = [
        EachBatch(),
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
        keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: None),
        keras.callbacks.ModelCheckpoint(tmp_path / "a.keras", save_freq=5),
        keras.callbacks.BackupAndRestore(tmp_path, save_freq=3),
        keras.callbacks.TensorBoard(tmp_path, update_freq=2),
        keras.callbacks.TensorBoard(tmp_path, update_freq="batch"),
        keras.callbacks.TensorBoard(tmp_path, write_steps_per_second=True),
        keras.callbacks.TensorBoard(tmp_path, profile_batch=(2, 3)),
        keras.callbacks.TerminateOnNaN(),
    ]
    for callback in watching:
        assert most_at_once(callback) == most_at_once([*keras_own, callback]) == 1
        assert most_at_once(keras.callbacks.CallbackList([callback])) == 1


def plain():
    keras.utils.set_random_seed(3)
    layers = [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(64),
        keras.layers.Reshape([8, 8, 1]),
    ]
    found = keras.Sequential(layers)
    found.compile("sgd", "mse")
    return found


def endless(batches):
    while True:
        yield from ((x, x) for x in batches.as_numpy_iterator())


PASSES = {
    "dataset": (lambda data: data, {}),
    "unknown length": (lambda data: data.filter(lambda x, y: True), {}),
    "too short": (lambda data: data, {"steps_per_epoch": 50}),
    "too short later": (lambda data: data, {"steps_per_epoch": 30}),
    "unknown and too short": (lambda data: data.filter(lambda x, y: True), {"steps_per_epoch": 50}),
    "unknown and too short later": (lambda data: data.filter(lambda x, y: True), {"steps_per_epoch": 30}),
    "endless": (lambda data: data.repeat(), {"steps_per_epoch": 37}),
    "validation": (lambda data: data, {"validation_steps": 3}),
    "generator": (lambda data: endless(data.map(lambda x, y: x)), {"steps_per_epoch": 37}),
}


@pytest.fixture(scope="module")
def both():
    return plain(), model()


@pytest.mark.parametrize("name", PASSES)
def test_the_progress_bar_and_the_warnings_are_those_of_keras(name, both, binary_images, monkeypatch):
    """Every batch is counted, the total is right, and Keras says where data have run out."""
    make, arguments = PASSES[name]
    data = tf.data.Dataset.from_tensor_slices((binary_images[:40], binary_images[:40])).batch(1)
    if name == "validation":
        arguments = {**arguments, "validation_data": data.repeat()}
    seen = []
    update = keras.utils.Progbar.update

    def noted(bar, current, values=None, finalize=None):
        seen.append((current, bar.target, finalize))
        update(bar, current, values, finalize)

    monkeypatch.setattr(keras.utils.Progbar, "update", noted)
    found = []
    for trained in both:
        seen.clear()
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("always")
            trained.fit(make(data), epochs=3, shuffle=False, **arguments)
        found.append((list(seen), [str(warning.message) for warning in caught]))
    assert found[0] == found[1]
    assert len(found[0][0]) > 60


def test_steps_are_taken_together(binary_images):
    """40 batches, of known length or not, take two calls of TensorFlow an epoch, and their evaluation too."""
    vae, calls = model(), []
    data = tf.data.Dataset.from_tensor_slices(binary_images[:40]).batch(1)

    def count(steps):
        inner = steps._steps

        def counted(iterator, number):
            logs, done = inner(iterator, number)
            calls.append(int(done))
            return logs, done

        steps._steps = counted

    for make in ("make_train_function", "make_test_function"):
        getattr(vae, make)()
    count(vae.train_function)
    count(vae.test_function)
    vae.fit(data, epochs=2, verbose=0)
    assert calls == [32, 8] * 2
    for batches in (data.filter(lambda x: True), data.repeat()):
        calls.clear()
        vae.fit(batches, steps_per_epoch=37, validation_data=data, validation_steps=5, epochs=1, verbose=0)
        assert calls == [32, 5, 5]
    calls.clear()
    vae.evaluate(data, verbose=0)
    assert calls == [32, 8]


def test_keras_own_callbacks_of_batches_see_what_they_see_with_one_step(batches, tmp_path):
    """16 steps: checkpoints after 5, 10 and 15 of them, logs of batches 2, 4, …, and backups after 3, 6, …"""
    vae = model()
    tensorboard = keras.callbacks.TensorBoard(tmp_path / "logs", update_freq=2)
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}-{batch}.weights.h5", save_freq=5, save_weights_only=True
    )
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3, delete_checkpoint=False)
    vae.fit(batches, epochs=2, callbacks=[tensorboard, checkpoint, backup], verbose=0)
    found = {}
    for path in (*tmp_path.glob("*.h5"), tmp_path / "backup" / "latest.weights.h5"):
        vae.load_weights(path)
        found[path.name] = int(vae._steps)
    assert found == {
        "1-5.weights.h5": 5,
        "2-2.weights.h5": 10,
        "2-7.weights.h5": 15,
        "latest.weights.h5": 15,
    }
    logged = [
        event.step
        for file in (tmp_path / "logs" / "train").glob("*.v2")
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "batch_loss"
    ]
    assert logged == list(range(2, 17, 2))


def test_the_pace_said_by_the_user_stays(batches):
    vae, noted = model(steps_per_execution=3), EachEpoch()
    vae.fit(batches, callbacks=[noted], verbose=0)
    assert noted.pace == [1]
    assert vae.steps_per_execution == 3
    assert int(vae._steps) == 8
    vae.compile(keras.optimizers.Adam(1e-2))
    vae.steps_per_execution = 5  # as in Keras, it may be set later
    vae.fit(batches, epochs=2, verbose=0)
    assert int(vae._steps) == 24


def test_a_subclass_adds_its_own_log(batches, binary_images):
    """A log that is no metric is, as in Keras, that of the last batch: here the 64th image alone."""
    for count in (1, 5):
        history = model(WithItsOwnLog, steps_per_execution=count).fit(batches, epochs=2, verbose=0).history
        np.testing.assert_allclose(history["pixels_on"], [binary_images[-1].sum()] * 2)
        assert {"bound", "kl", "loss", "reconstruction", "pixels_on"} == set(history)


def test_train_on_batch_and_eager_steps_are_the_same_training(batches):
    whole, by_hand, eager = model(), model(), model(run_eagerly=True)
    whole.fit(batches, verbose=0)
    for batch in batches:
        logs = by_hand.train_on_batch(batch, return_dict=True)
    eager.fit(batches, verbose=0)
    assert np.isfinite(list(logs.values())).all()
    np.testing.assert_allclose(flat(by_hand), flat(whole), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(flat(eager), flat(whole), rtol=1e-4, atol=1e-5)
    assert np.isfinite(list(whole.test_on_batch(batch, return_dict=True).values())).all()


@pytest.mark.stress
def test_the_pace_is_automatic_after_loading_too(batches, tmp_path):
    for said, wanted in ((None, 32), (5, 1)):
        vae = model(**({} if said is None else {"steps_per_execution": said}))
        vae.fit(batches, verbose=0)
        vae.save(tmp_path / f"{said}.keras")
        loaded, noted = keras.saving.load_model(tmp_path / f"{said}.keras"), EachEpoch()
        loaded.fit(batches, callbacks=[noted], verbose=0)
        assert noted.pace == [wanted]
        assert noted.steps == [16]


def test_many_models_give_no_warning_of_retracing():
    """TensorFlow counts traces by code, so that those of several models, each traced once, would look like one's."""
    heard = logging.handlers.BufferingHandler(1000)
    tf.get_logger().addHandler(heard)
    try:
        for _ in range(8):
            plain = keras.Sequential([keras.layers.Dense(1)])
            plain.compile(loss="mse")
            steps = Steps(plain, lambda data: {}, reports=False)
            steps(iter(tf.data.Dataset.range(3)))
    finally:
        tf.get_logger().removeHandler(heard)
    assert [record for record in heard.buffer if "retracing" in record.getMessage()] == []
