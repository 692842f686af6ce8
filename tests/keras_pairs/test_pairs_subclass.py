"""What subclasses do, as in Keras's guides, to a plain Keras model and to a VAE."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_pairs.pairs import BASES, FIT, KINDS, X, flat, make


def misfit(model, x, training):
    return tf.reduce_mean((model(x, training=training) - x) ** 2)


def own_steps(base):
    """Return a subclass as in "Customizing what happens in `fit()`"; its steps report the loss and no metric."""

    class OwnSteps(base):
        def train_step(self, data):
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            with tf.GradientTape() as tape:
                loss = misfit(self, x, training=True)
            gradients = tape.gradient(loss, self.trainable_weights)
            pairs = [pair for pair in zip(gradients, self.trainable_weights, strict=True) if pair[0] is not None]
            self.optimizer.apply_gradients(pairs)
            return {"misfit": loss}

        def test_step(self, data):
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            return {"misfit": misfit(self, x, training=False)}

    return OwnSteps


def own_tracker(base):
    """Return a subclass whose steps update a metric of its own, called loss, and which lists it in `metrics`."""

    class OwnTracker(base):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tracker = keras.metrics.Mean(name="loss")

        @property
        def metrics(self):
            return [self.tracker]

        def train_step(self, data):
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            self.tracker.update_state(tf.reduce_sum(x))
            return {metric.name: metric.result() for metric in self.metrics}

        test_step = train_step

    return OwnTracker


def own_metric(base):
    """Return a subclass that only adds a metric to what the step does."""

    class OwnMetric(base):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.lit = keras.metrics.Mean(name="lit")

        def train_step(self, data):
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            self.lit.update_state(tf.reduce_sum(x, axis=-1))
            return {**super().train_step(data), "lit": self.lit.result(), "rows": tf.shape(x)[0]}

    return OwnMetric


@pytest.mark.parametrize("kind", KINDS)
def test_own_steps_report_their_own_loss(kind):
    model = make(kind, own_steps(BASES[kind]), optimizer=keras.optimizers.Adam(0.05), run_eagerly=False)
    stopping = keras.callbacks.EarlyStopping("val_misfit", patience=1, mode="min")
    history = model.fit(X, epochs=5, validation_data=(X,), callbacks=[stopping], **FIT).history
    assert set(history) == {"misfit", "val_misfit"}
    assert 0 < history["val_misfit"][-1] < history["val_misfit"][0]
    assert model.evaluate(X, verbose=0) > 0


def test_own_steps_that_call_their_loss_loss():
    """A plain Keras model reports its untouched metric of that name, 0; a VAE has others, and reports the log."""

    class OwnLoss(own_steps(BASES["vae"])):
        def train_step(self, data):
            return {"loss": super().train_step(data)["misfit"]}

    model = make("vae", OwnLoss)
    history = model.fit(X, epochs=4, callbacks=[keras.callbacks.EarlyStopping("loss", patience=1)], **FIT).history
    assert set(history) == {"loss"}
    assert len(history["loss"]) == 4
    assert min(history["loss"]) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_own_tracker(kind):
    model = make(kind, own_tracker(BASES[kind]), run_eagerly=False)
    wanted = (X[:10].sum() + X[10:].sum()) / 2
    history = model.fit(X, epochs=2, validation_data=(X,), **FIT).history
    np.testing.assert_allclose([*history["loss"], *history["val_loss"]], wanted, rtol=1e-6)
    assert set(history) == {"loss", "val_loss"}
    assert model.evaluate(X, batch_size=10, verbose=0) == pytest.approx(wanted)
    assert model.metrics_names == ["loss"]


@pytest.mark.parametrize("kind", KINDS)
def test_own_metric_beside_the_usual_step(kind):
    model = make(kind, own_metric(BASES[kind]), run_eagerly=False)
    history = model.fit(X, epochs=2, **FIT).history
    assert "lit" in model.metrics_names
    np.testing.assert_allclose(history["lit"], X.sum(axis=1).mean(), rtol=1e-6)
    assert history["rows"] == [10, 10]
    assert history["loss"][0] != 0
    model.reset_metrics()
    assert float(model.lit.result()) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_added_after_init_is_trained_and_saved(kind, tmp_path):
    class Deeper(BASES[kind]):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.extra = keras.layers.Dense(2, name="extra")

        def train_step(self, data):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(self.extra(tf.ones([1, 3])) ** 2)
            weights = self.extra.trainable_weights
            self.optimizer.build(self.trainable_weights)
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return {"extra": loss}

    model = make(kind, Deeper)
    model.extra.build((None, 3))
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    history = model.fit(X, epochs=3, **FIT).history["extra"]
    assert history[-1] < history[0]
    assert any(weight is model.extra.kernel for weight in model.trainable_weights)
    model.save_weights(tmp_path / "a.weights.h5")
    other = make(kind, Deeper)
    other.extra.build((None, 3))
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(other.extra.kernel, model.extra.kernel)


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_add_loss_of_a_layer_and_of_the_model(kind, eagerly):
    """Each step counts them once, however often it has run, in training and in evaluation."""

    class Adds(keras.layers.Dense):
        def call(self, x):
            self.add_loss(3.0 * tf.ones([2]))  # two values, which Keras sums
            return super().call(x)

    class Model(BASES[kind]):
        def call(self, x, training=None):
            self.add_loss(tf.constant(10.0))
            return super().call(x, training=training)

        def infer(self, x, **kwargs):  # of a VAE; its steps do not call `call`
            self.add_loss(tf.constant(10.0))
            return super().infer(x, **kwargs)

    found = {}
    for base, layer, eager in ((BASES[kind], keras.layers.Dense, True), (Model, Adds, eagerly)):
        model = make(kind, base, functools.partial(layer, 4), optimizer=keras.optimizers.SGD(0.0), run_eagerly=eager)
        logs = model.fit(X, epochs=2, validation_data=(X,), **FIT).history
        logs["evaluate"] = [model.evaluate(X, batch_size=10, verbose=0, return_dict=True)["loss"]]
        found[base] = logs
    for name in ("loss", "val_loss", "evaluate"):
        difference = np.subtract(found[Model][name], found[BASES[kind]][name])
        # The plain model's noise is of its generator, and the same in both.
        np.testing.assert_allclose(difference, 16, rtol=0.1 if kind == "vae" else 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_activity_and_kernel_regularizers(kind):
    """The loss contains them, and the step is along their gradient."""
    penalty = keras.regularizers.L2(100.0)
    steps = []
    for arguments in ({}, {"kernel_regularizer": penalty}, {"activity_regularizer": keras.regularizers.L2(1.0)}):
        network = functools.partial(keras.layers.Dense, 4, name="regularized", **arguments)
        model = make(kind, encoder=network, optimizer=keras.optimizers.SGD(1e-3))
        kernel = next(layer for layer in model._flatten_layers() if layer.name == "regularized").kernel
        before = kernel.numpy()
        loss = model.train_on_batch(X, return_dict=True)["loss"]
        steps.append((loss, kernel.numpy() - before))
    (loss, step), (heavy_loss, heavy_step), (active_loss, active_step) = steps
    assert heavy_loss - loss == pytest.approx(100 * np.sum(before**2), rel=1e-4)
    np.testing.assert_allclose(heavy_step - step, -1e-3 * 200 * before, rtol=1e-3, atol=1e-6)
    assert active_loss > loss
    assert np.abs(active_step - step).max() > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_compute_loss_in_ones_own_step(kind):
    class Model(BASES[kind]):
        def train_step(self, data):
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight)
            self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
            return {"loss": self.metrics[0].result()}

    history = make(kind, Model, optimizer=keras.optimizers.Adam(0.05)).fit(X, epochs=8, **FIT).history["loss"]
    assert np.mean(history[-2:]) < np.mean(history[:2])
    assert len(set(history)) == 8


@pytest.mark.parametrize("name", ["compute_loss", "compute_metrics"])
def test_an_override_that_a_vae_would_ignore_is_refused(name):
    class Model(BASES["vae"]):
        pass

    setattr(Model, name, lambda self, *args, **kwargs: None)
    with pytest.raises(ValueError, match=rf"^VAE.compile: {name}: expected that of .* Use VAE\(objective="):
        make("vae", Model)


@pytest.mark.parametrize("kind", KINDS)
def test_run_eagerly_runs_the_step_in_python(kind):
    seen = []

    class Model(BASES[kind]):
        def train_step(self, data):
            seen.append(tf.executing_eagerly())
            return super().train_step(data)

    for eagerly in (True, False):
        make(kind, Model, run_eagerly=eagerly).fit(X, epochs=2, **FIT)
    assert seen[:4] == [True] * 4
    assert set(seen[4:]) == {False}


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_layer_is_trained_by_both_models(kind):
    shared = keras.layers.Dense(4)
    one, two = make(kind, encoder=lambda: shared), make(kind, encoder=lambda: shared)
    before = flat(shared.get_weights())
    one.fit(X, **FIT)
    between = flat(shared.get_weights())
    two.fit(X, **FIT)
    assert np.abs(between - before).max() > 0
    assert np.abs(flat(shared.get_weights()) - between).max() > 0
