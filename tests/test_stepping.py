"""Several steps in one call of TensorFlow: the same training, and nobody notices."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.trainer.compiled_steps import steps_at_once


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
        self.pace.append(self.model.steps_per_execution)


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
    assert noted.pace == [{1: 1, 6: 6, 37: 1, 64: 32}[steps]] * 2


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
    assert steps_at_once(keras_own, []) == steps_at_once(None, []) == steps_at_once(EachEpoch(), []) == 32
    watching = [EachBatch(), keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]
    for callback in watching:
        assert steps_at_once(callback, []) == steps_at_once([*keras_own, callback], []) == 1
        assert steps_at_once(keras.callbacks.CallbackList([callback]), []) == 1


@pytest.mark.parametrize(
    ("fixed", "wanted"),
    [((64,), 32), ((48, 36), 12), ((7, 7), 7), ((97,), 1), ((64, None), 32), ((31,), 31), ((500,), 25)],
)
def test_the_pace_divides_all_fixed_numbers(fixed, wanted):
    assert steps_at_once(None, fixed) == wanted


def test_the_pace_said_by_the_user_stays(batches):
    vae, noted = model(steps_per_execution=3), EachEpoch()
    vae.fit(batches, callbacks=[noted], verbose=0)
    assert noted.pace == [3]
    assert vae.steps_per_execution == 3


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
    for said, wanted in ((None, 32), (5, 5)):
        vae = model(**({} if said is None else {"steps_per_execution": said}))
        vae.fit(batches, verbose=0)
        vae.save(tmp_path / f"{said}.keras")
        loaded, noted = keras.saving.load_model(tmp_path / f"{said}.keras"), EachEpoch()
        loaded.fit(batches, callbacks=[noted], verbose=0)
        assert noted.pace == [wanted]
        assert noted.steps == [16]
