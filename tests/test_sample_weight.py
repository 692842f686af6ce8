"""Sample weights: an example of weight 0 is as if absent, and the loss that is reported is the one minimized."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae import composition
from keras_vae.objectives import ELBO, IWAE, BetaTC, InfoVAE
from keras_vae.utils.replicas import Rows

WEIGHT = np.array([0.5, 2.0, 1.0, 3.0, 0.25], np.float32)
ABSENT = 3
OBJECTIVES = {
    "elbo": lambda: ELBO(2, beta=kv.schedules.Linear(0.5, 1.0, steps=3)),
    "free_bits": lambda: ELBO(free_bits=0.004),
    "sticking_the_landing": lambda: ELBO(estimator="sticking_the_landing"),
    "nvil": lambda: ELBO(2, estimator=kv.estimators.NVIL(kv.networks.MLP([4]))),
    "leave_one_out": lambda: ELBO(3, estimator="leave_one_out"),
    "iwae": lambda: IWAE(3),
    "doubly_reparameterized": lambda: IWAE(3, estimator="doubly_reparameterized"),
    "vimco": lambda: IWAE(3, estimator="leave_one_out"),
    "info_vae": lambda: InfoVAE(0.5, 50.0),
    "beta_tc": lambda: BetaTC(20, beta=4.0),
}
# Their gradient is the derivative of the loss at the same noise.
REPARAMETERIZED = ["elbo", "free_bits", "iwae", "info_vae", "beta_tc"]
OF_THE_BATCH = ["free_bits", "nvil", "info_vae", "beta_tc"]


def model(make_objective, latents=None, rate=0.01, **compiled):
    """Return a model that trains by plain gradient descent: its steps are its gradient."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Flatten(), keras.layers.Dense(6, "tanh", kernel_regularizer=keras.regularizers.L2(0.5))]
    family = kv.families.Normal(2) if latents is None else latents
    vae = kv.VAE(
        kv.Encoder(keras.Sequential(layers), family),
        kv.Decoder(kv.networks.MLP([6]), kv.families.Bernoulli((8, 8, 1))),
        prior=None if latents is None else kv.priors.Uniform(type(latents)(2)),
        objective=make_objective(),
        seed=5,
    )
    vae.compile(**{"optimizer": keras.optimizers.SGD(rate), "run_eagerly": True, **compiled})
    return vae


def flat(values):
    return np.concatenate([np.ravel(value) for value in values])


@pytest.fixture
def same_noise(monkeypatch):
    """Let each example of a smaller batch have the noise that it has in a batch of `total`, from row `start` on."""

    def fix(start, total):
        monkeypatch.setattr(
            composition.replicas, "rows", lambda x: Rows(tf.constant(start), tf.shape(x)[0], tf.constant(total))
        )

    return fix


def gradients_and_logs(name, x, weight, latents=None):
    """Return two steps' changes of all weights, those of running means among them, and all logs."""
    vae = model(OBJECTIVES[name], latents)
    start = flat(vae.get_weights())
    logs = [vae.train_on_batch(x, x, weight, return_dict=True) for _ in range(2)]
    logs.append(vae.test_on_batch(x, x, weight, return_dict=True))
    return flat(vae.get_weights()) - start, np.array([list(found.values()) for found in logs])


@pytest.mark.parametrize(
    ("name", "first"), [*((name, False) for name in OBJECTIVES), ("nvil-bernoulli", True), ("beta_tc", True)]
)
def test_an_example_of_weight_0_is_as_if_absent(name, first, binary_images, same_noise):
    name, _, discrete = name.partition("-")
    latents = kv.families.Bernoulli(2) if discrete else None
    kept, others = binary_images[:5], 1 - binary_images[5 : 5 + ABSENT]
    zeros = np.zeros(ABSENT, np.float32)
    order = slice(None, None, -1) if first else slice(None)
    x = np.concatenate([kept, others][order])
    weight = np.concatenate([WEIGHT, zeros][order])
    same_noise(0, len(x))
    step, logs = gradients_and_logs(name, x, weight, latents)
    same_noise(ABSENT if first else 0, len(x))
    wanted_step, wanted_logs = gradients_and_logs(name, kept, WEIGHT, latents)
    np.testing.assert_allclose(step, wanted_step, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logs, wanted_logs, rtol=1e-5, atol=1e-6)
    assert np.abs(step).max() > 0.01


@pytest.mark.parametrize("name", OF_THE_BATCH)
def test_weights_of_1_change_nothing(name, binary_images):
    x = binary_images[:5]
    step, logs = gradients_and_logs(name, x, np.ones(5, np.float32))
    wanted_step, wanted_logs = gradients_and_logs(name, x, None)
    np.testing.assert_allclose(step, wanted_step, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logs, wanted_logs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_reported_loss_is_the_one_minimized(name, binary_images):
    """Finite differences of the reported loss, with regularizers and weights, against the step taken."""
    x, weight = binary_images[:6], np.append(WEIGHT, np.float32(0))
    vae = model(OBJECTIVES[name], rate=1.0)
    start = vae.get_weights()
    vae.train_on_batch(x, x, weight)
    # Without reparameterization the samples' dependence on the encoder is not in the derivative at the same noise.
    varied = vae.weights if name in REPARAMETERIZED else vae.decoder.weights
    slopes = [
        (before - variable.numpy()) * any(variable is one for one in varied) * variable.trainable
        for before, variable in zip(start, vae.weights, strict=True)
    ]
    length = np.linalg.norm(flat(slopes))
    vae.optimizer.learning_rate = 0.0

    def reported(h):
        vae.set_weights([value + h * slope / length for value, slope in zip(start, slopes, strict=True)])
        return vae.train_on_batch(x, x, weight, return_dict=True)["loss"]

    # Losses of about 50 are rounded by 4e-6 in float32.
    assert (reported(5e-3) - reported(-5e-3)) / 1e-2 == pytest.approx(length, rel=5e-3)


def test_the_loss_is_weighed_as_keras_does_and_the_other_terms_are_weighted_means(binary_images):
    """Keras sums weighted losses and divides by their number, here without those of weight 0."""
    x, weight = binary_images[:6], np.append(WEIGHT, np.float32(0))
    vae = model(ELBO)
    each = vae.objective(vae, tf.constant(x), tf.constant([0, 0]))["kl"].numpy()  # in closed form, without noise
    for batch_size in (6, 4):
        found = vae.evaluate(x, sample_weight=weight, batch_size=batch_size, verbose=0, return_dict=True)
        assert found["kl"] == pytest.approx(weight @ each / weight.sum(), rel=1e-5)
        penalty = float(sum(vae.losses))
        # Each batch reports its own mean over the examples that count.
        assert found["loss"] - penalty == pytest.approx(-found["bound"] * weight.sum() / 5, rel=1e-5)
    plain = keras.Sequential([keras.layers.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    plain.compile("sgd", "mse", run_eagerly=True)
    y, twice = np.arange(6.0)[:, None], np.full(6, 2.0, np.float32)
    assert plain.test_on_batch(x, y, twice) / plain.test_on_batch(x, y) == pytest.approx(2)
    doubled, usual = (vae.test_on_batch(x, x, w, return_dict=True) for w in (twice, None))
    assert (doubled["loss"] - penalty) / (usual["loss"] - penalty) == pytest.approx(2, rel=1e-5)
    assert doubled["bound"] == pytest.approx(usual["bound"], rel=1e-5)


@pytest.mark.parametrize("name", OF_THE_BATCH)
def test_a_batch_whose_weights_are_all_0_is_no_step(name, binary_images):
    x = binary_images[:4]
    vae = model(OBJECTIVES[name], optimizer=keras.optimizers.Adam(0.1))
    vae.train_on_batch(x, x)
    before = flat([*vae.get_weights(), *vae.optimizer.variables])
    for found in (
        vae.train_on_batch(x, x, np.zeros(4), return_dict=True),
        vae.test_on_batch(x, x, np.zeros(4), return_dict=True),
        vae.evaluate(x, sample_weight=np.zeros(4), verbose=0, return_dict=True),
    ):
        assert set(found.values()) == {0.0}
    np.testing.assert_array_equal(flat([*vae.get_weights(), *vae.optimizer.variables]), before)


def test_an_infinite_loss_of_an_absent_example_is_absent_too(binary_images):
    class Lost(kv.objectives.ELBO):
        """Without the argument: a user's own objective still works, weighted by the model."""

        def __call__(self, model, x, seed, training=None, condition=None):
            terms = super().__call__(model, x, seed, training, condition)
            return {name: tf.where(tf.range(5) == 4, np.inf, value) for name, value in terms.items()}

    x, weight = binary_images[:5], np.array([1, 2, 1, 1, 0], np.float32)
    vae = model(Lost)
    found = vae.train_on_batch(x, x, weight, return_dict=True)
    assert np.isfinite(list(found.values())).all()
    assert np.isfinite(flat(vae.get_weights())).all()


def test_a_users_own_estimator_without_the_argument_still_works(binary_images):
    class Own(kv.estimators.Reparameterized):
        def estimate(self, inference, draws, weigh, aggregate, training):
            return super().estimate(inference, draws, weigh, aggregate, training)

    x, weight = binary_images[:5], WEIGHT
    own, usual = (
        model(make_objective).test_on_batch(x, x, weight, return_dict=True)
        for make_objective in (lambda: ELBO(estimator=Own()), ELBO)
    )
    assert own == usual


def test_class_weights_are_sample_weights(binary_images):
    x, y = binary_images[:6], np.array([0, 1, 0, 1, 2, 2])
    by_class, by_row = model(ELBO), model(ELBO)
    by_class.fit(x, y, class_weight={0: 1.0, 1: 3.0, 2: 0.0}, shuffle=False, verbose=0)
    by_row.fit(x, y, sample_weight=np.array([1, 3, 1, 3, 0, 0.0]), shuffle=False, verbose=0)
    np.testing.assert_array_equal(flat(by_class.get_weights()), flat(by_row.get_weights()))
