"""A loss or a gradient that is no number stops training at once, and leaves the last good weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae.objectives import ELBO
from keras_vae.trainer.finite_check import NotFiniteError
from keras_vae.trainer.weight_update import Update


@keras.saving.register_keras_serializable("tests.soundness")
class LostAt(ELBO):
    """The ELBO, but of a batch whose first pixel is lit something is no number.

    Args:
        what: "loss", "kl" (and not the loss), or "gradient" (and neither).
        value: NaN or infinite.
    """

    def __init__(self, what, value=np.nan):
        super().__init__()
        self.what, self.value = what, value

    def __call__(self, model, x, seed, training=None, condition=None):
        terms = super().__call__(model, x, seed, training, condition)
        hit = tf.reduce_all(x[:, 0, 0, 0] > 0)
        if self.what == "gradient":
            # sqrt(0) has no derivative, and 0 · inf is NaN, though the value is 0.
            zero = 0.0 * tf.reduce_sum(model.decoder.head.bias)
            terms["loss"] += tf.sqrt(tf.where(hit, zero, 1.0))
        else:
            terms[self.what] = tf.where(hit, tf.cast(self.value, tf.float32), terms[self.what])
        return terms


def model(objective=None, optimizer=None, **compiled):
    keras.utils.set_random_seed(3)
    vae = kv.models.vae((8, 8, 1), latent_size=2, hidden=[8], objective=objective, seed=5)
    vae.compile(keras.optimizers.Adam(1e-2) if optimizer is None else optimizer, **compiled)
    return vae


def flat(values):
    return np.concatenate([np.ravel(v) for v in values])


def state(vae):
    """Return all weights, those of the optimizer among them."""
    return flat([*vae.get_weights(), *(v.numpy() for v in vae.optimizer.variables)])


@pytest.fixture
def images(binary_images):
    """Eight batches of 8, in none of which the first pixel is lit."""
    x = binary_images.copy()
    x[:, 0, 0] = 0
    return x


def lost_in(images, batch):
    """Light the first pixel in one batch, counted from 1."""
    x = images.copy()
    x[8 * (batch - 1) : 8 * batch, 0, 0] = 1
    return tf.data.Dataset.from_tensor_slices(x).batch(8)


@pytest.mark.parametrize(
    "compiled",
    [
        {},
        {"steps_per_execution": 3},
        {"run_eagerly": True},
        pytest.param({"jit_compile": True}, marks=pytest.mark.stress),
    ],
)
def test_training_stops_with_the_weights_before_the_batch(images, compiled):
    vae, good = model(LostAt("loss"), **compiled), model(LostAt("loss"), **compiled)
    with pytest.raises(
        NotFiniteError, match="the loss in batch 5 of the epoch: expected finite values, received loss nan"
    ):
        vae.fit(lost_in(images, 5), epochs=3, verbose=0)
    good.fit(lost_in(images, 5).take(4), verbose=0)
    np.testing.assert_array_equal(state(vae), state(good))
    assert int(vae._steps) == 4


@pytest.mark.parametrize("compiled", [{}, {"run_eagerly": True}])
def test_statistics_that_the_pass_itself_updates_are_those_before_too(images, compiled):
    def normalized():
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.BatchNormalization()]
        vae = kv.VAE(
            kv.Encoder(keras.Sequential(layers), kv.families.Normal(2)),
            kv.Decoder(kv.networks.MLP([8]), kv.families.Bernoulli((8, 8, 1))),
            objective=LostAt("loss"),
            seed=5,
        )
        vae.compile("adam", **compiled)
        return vae

    vae, good = normalized(), normalized()
    with pytest.raises(NotFiniteError):
        vae.fit(lost_in(images, 3), verbose=0)
    good.fit(lost_in(images, 3).take(2), verbose=0)
    assert any(v.name == "moving_mean" and np.abs(v.numpy()).max() > 0 for v in good.non_trainable_weights)
    np.testing.assert_array_equal(state(vae), state(good))


@pytest.mark.parametrize("batch", [1, 8])
def test_the_first_and_the_last_batch_are_watched(images, batch):
    vae = model(LostAt("loss", np.inf))
    with pytest.raises(
        NotFiniteError, match=f"in batch {batch} of the epoch: expected finite values, received loss inf"
    ):
        vae.fit(lost_in(images, batch), verbose=0)
    assert int(vae._steps) == batch - 1


def test_the_batch_is_counted_in_its_own_epoch(images):
    """Batches 1 to 8 of the first epoch are fine; the third of the second is not."""
    x = np.concatenate([images, images])
    x[8 * 10 : 8 * 11, 0, 0] = 1
    vae = model(LostAt("loss"))
    with pytest.raises(NotFiniteError, match="in batch 3 of the epoch"):
        vae.fit(tf.data.Dataset.from_tensor_slices(x).batch(8).repeat(), steps_per_epoch=8, epochs=2, verbose=0)
    assert int(vae._steps) == 10


def test_the_term_at_fault_is_named(images):
    with pytest.raises(
        NotFiniteError, match=r"in batch 2 of the epoch: expected finite values, received kl -inf\. The weights"
    ):
        model(LostAt("kl", -np.inf)).fit(lost_in(images, 2), verbose=0)


def test_the_gradient_at_fault_is_named_by_its_variable(images):
    vae = model(LostAt("gradient"))
    with pytest.raises(NotFiniteError) as caught:
        vae.fit(lost_in(images, 4), verbose=0)
    path = vae.decoder.head.bias.path
    assert f"a gradient in batch 4 of the epoch: expected finite values, received gradient of {path} nan. The" in str(
        caught.value
    )
    assert int(vae._steps) == 3
    assert np.isfinite(state(vae)).all()


@pytest.mark.stress
def test_fit_goes_on_afterwards(images):
    vae, undisturbed = model(LostAt("loss")), model(LostAt("loss"))
    with pytest.raises(NotFiniteError):
        vae.fit(lost_in(images, 5), verbose=0)
    undisturbed.fit(lost_in(images, 5).take(4), verbose=0)
    for one in (vae, undisturbed):
        history = one.fit(images, batch_size=8, shuffle=False, epochs=2, verbose=0).history
        assert np.isfinite(history["loss"]).all()
    np.testing.assert_array_equal(state(vae), state(undisturbed))


def test_train_on_batch_raises_and_goes_on_afterwards(images):
    vae = model(LostAt("loss"))
    bad = images[:8].copy()
    bad[:, 0, 0] = 1
    before = state(vae)
    with pytest.raises(NotFiniteError):
        vae.train_on_batch(bad)
    np.testing.assert_array_equal(state(vae), before)
    vae.reset_metrics()
    assert np.isfinite(vae.train_on_batch(images[:8], return_dict=True)["loss"])
    assert int(vae._steps) == 1


def test_weights_that_became_nan_stop_it_in_the_first_batch(images):
    vae = model()
    vae.decoder.head.bias.assign(np.full([64], np.nan, np.float32))
    with pytest.raises(
        NotFiniteError,
        match=r"in batch 1 of the epoch: expected finite values, received loss nan, .*reconstruction nan",
    ):
        vae.fit(images, verbose=0)
    assert int(vae._steps) == 0


def test_a_huge_learning_rate_ends_so_and_leaves_finite_weights(images):
    vae = model(optimizer=keras.optimizers.SGD(1e12))
    with pytest.raises(NotFiniteError, match="smaller learning rate or the optimizer's clipnorm"):
        vae.fit(images, batch_size=8, epochs=50, verbose=0)
    assert np.isfinite(state(vae)).all()


def test_the_error_is_a_value_error_and_part_of_the_package():
    assert issubclass(NotFiniteError, ValueError)
    assert kv.NotFiniteError is NotFiniteError


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "momentum": lambda: keras.optimizers.SGD(1e-2, momentum=0.9, nesterov=True),
    "clipnorm": lambda: keras.optimizers.Adam(1e-2, clipnorm=0.1),
    "accumulation": lambda: keras.optimizers.Adam(1e-2, gradient_accumulation_steps=2),
    "average": lambda: keras.optimizers.Adam(1e-2, use_ema=True, ema_overwrite_frequency=3, weight_decay=1e-2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_compiled_for_large_models_is_keras_own(name):
    """Five steps on 101,000 weights, the third of which is not sound and must leave everything as it was."""
    rng = np.random.default_rng(0)
    start = [rng.normal(size=s).astype(np.float32) for s in ([1000, 100], [1000])]
    gradients = [[rng.normal(size=v.shape).astype(np.float32) for v in start] for _ in range(5)]
    optimizer, plain = OPTIMIZERS[name](), OPTIMIZERS[name]()
    variables, wanted = ([keras.Variable(v) for v in start] for _ in range(2))
    optimizer.build(variables)
    plain.build(wanted)
    update = Update(optimizer, variables)
    step = tf.function(update)
    for i, gradient in enumerate(gradients):
        before = flat([*variables, *optimizer.variables])
        step([tf.constant(g) for g in gradient], tf.constant(i != 2))
        if i == 2:
            np.testing.assert_array_equal(flat([*variables, *optimizer.variables]), before)
        else:
            plain.apply(gradient, wanted)
    np.testing.assert_allclose(flat(variables), flat(wanted), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(flat(optimizer.variables), flat(plain.variables), rtol=1e-5, atol=1e-6)
    assert np.abs(flat(variables) - flat(start)).max() > 1e-3


def test_a_large_model_is_updated_by_one_compiled_pass(monkeypatch):
    kinds = []
    function = tf.function
    monkeypatch.setattr(tf, "function", lambda *a, **k: kinds.append(k.get("jit_compile")) or function(*a, **k))
    for size in (99_999, 100_000):
        variables = [keras.Variable(np.zeros(size, np.float32))]
        optimizer = keras.optimizers.SGD()
        optimizer.build(variables)
        Update(optimizer, variables)
        Update(optimizer, variables, plain=True)
    assert kinds == [True]


def test_an_overflow_that_loss_scaling_expects_is_no_error(images):
    """The scale of 2^120 is too large at first: the optimizer skips such steps and halves it."""
    keras.config.set_dtype_policy("mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3), initial_scale=2.0**120)
    vae = model(optimizer=optimizer)
    before = flat(vae.trainable_weights)
    vae.fit(images, batch_size=8, epochs=1, verbose=0)
    np.testing.assert_array_equal(flat(vae.trainable_weights), before)
    assert float(optimizer.dynamic_scale) == 2.0**112
    optimizer.dynamic_scale.assign(2.0)
    vae.fit(images, batch_size=8, epochs=1, verbose=0)
    assert np.abs(flat(vae.trainable_weights) - before).max() > 0
    assert np.isfinite(flat(vae.trainable_weights)).all()


def test_a_lost_loss_is_an_error_under_loss_scaling_too(images):
    keras.config.set_dtype_policy("mixed_float16")
    vae = model(LostAt("loss"), keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3)))
    with pytest.raises(NotFiniteError, match="in batch 3 of the epoch: expected finite values, received loss nan"):
        vae.fit(lost_in(images, 3), verbose=0)
