import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from keras_vae.priors.masked_autoregressive_flow import MaskedAutoregressiveFlow
from keras_vae.priors.real_nvp import RealNVP
from tests.flow_checks import cell_probabilities, differences, jacobian, randomize, samples_fit

every = pytest.mark.parametrize("prior_class", [MaskedAutoregressiveFlow, RealNVP])


def make(prior_class, size=2, flows=3, scale=0.25):
    prior = prior_class(size, flows=flows, hidden=[5])
    randomize(prior, scale)
    return prior


@every
def test_total_probability_is_one(prior_class):
    # Beyond ±30 there is less than 5e-4 of these heavy tails.
    total = cell_probabilities(make(prior_class).distribution(), 30.0, 16, 25).sum()
    assert total == pytest.approx(1, abs=1e-3)


@every
def test_samples_against_the_density(prior_class):
    assert samples_fit(make(prior_class).distribution(), 4.0) > 0.001  # level 0.001, seed fixed


@every
@pytest.mark.parametrize("size", [2, 3, 5])
def test_log_density_against_the_jacobian(prior_class, size):
    bijector = make(prior_class, size).distribution().bijector
    z = np.random.default_rng(1).normal(size=size).astype(np.float32)
    _, wanted = np.linalg.slogdet(jacobian(bijector.forward, z))
    prior = make(prior_class, size).distribution()
    found = prior.log_prob(tf.constant(bijector.forward(z).numpy()))
    base = scipy.stats.norm.logpdf(z).sum()
    assert float(found) == pytest.approx(base - wanted, rel=1e-3)


@every
@pytest.mark.parametrize("size", [2, 3, 6])
def test_inverse_undoes_forward(prior_class, size):
    keras.config.set_dtype_policy("float64")
    z = np.random.default_rng(0).normal(size=[20, size])
    there = make(prior_class, size).distribution().bijector.forward(z).numpy()
    found = make(prior_class, size).distribution().bijector.inverse(tf.constant(there))
    np.testing.assert_allclose(found, z, rtol=1e-9, atol=1e-9)


@every
@pytest.mark.parametrize("size", [2, 3, 5])
def test_every_element_depends_on_every_other(prior_class, size):
    bijector = make(prior_class, size).distribution().bijector
    assert np.all(jacobian(bijector.forward, np.full(size, 0.3, np.float32)) != 0)


@every
def test_gradients_against_differences(prior_class):
    keras.config.set_dtype_policy("float64")
    prior = make(prior_class, 3, flows=2)
    z = tf.constant([0.3, -0.4, 0.8], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(z)
        out = prior.distribution().log_prob(z)
    found = tape.gradient(out, [z, *(w.value for w in prior.trainable_weights)])
    assert all(g is not None for g in found)
    wanted = differences(lambda z: prior.distribution().log_prob(tf.constant(z)), z.numpy())
    np.testing.assert_allclose(found[0], wanted, rtol=1e-6, atol=1e-8)
    for weight, gradient in zip(prior.trainable_weights[:2], found[1:3], strict=True):
        at = weight.numpy()

        def of_weight(value, weight=weight):
            weight.assign(value)
            return prior.distribution().log_prob(z)

        np.testing.assert_allclose(gradient, differences(of_weight, at), rtol=1e-6, atol=1e-8)
        weight.assign(at)


@every
def test_learns_a_correlated_normal(prior_class):
    # The best fit's mean log-density is the negative entropy of the data's own distribution.
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    x = np.random.default_rng(0).multivariate_normal([1.0, -1.0], covariance, size=1000).astype(np.float32)
    prior = prior_class(2, flows=2, hidden=[8])
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build(prior.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(prior.distribution().log_prob(x))
        optimizer.apply(tape.gradient(loss, [w.value for w in prior.trainable_variables]))
        return loss

    losses = [float(step()) for _ in range(200)]
    entropy = -np.mean(scipy.stats.multivariate_normal([1.0, -1.0], covariance).logpdf(x))
    assert losses[0] > entropy + 0.5
    # Not far above, and hardly below: some 50 weights overfit 1000 points by about 50/2000 nats.
    assert -0.05 < losses[-1] - entropy < 0.05


@every
def test_far_values_stay_finite(prior_class):
    prior = make(prior_class, 3)
    z = tf.constant([[40.0, -40.0, 40.0], [1e6, 1e6, -1e6], [0.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_prob = prior.distribution().log_prob(z)
    assert np.all(np.isfinite(log_prob))
    assert np.all(np.isfinite(tape.gradient(log_prob, z)))


@every
def test_starts_near_the_standard_normal(prior_class):
    z = np.random.default_rng(0).normal(size=[100, 4]).astype(np.float32)
    wanted = scipy.stats.norm.logpdf(z).sum(-1)
    np.testing.assert_allclose(prior_class(4).distribution().log_prob(z), wanted, atol=0.7)


@every
def test_shapes_and_compilation(prior_class):
    prior = make(prior_class, 3)
    p = prior.distribution()
    assert p.batch_shape == ()
    assert p.event_shape == (3,)
    z = np.random.default_rng(0).normal(size=[5, 4, 3]).astype(np.float32)
    eager = p.log_prob(z)
    assert eager.shape == (5, 4)
    np.testing.assert_allclose(p.log_prob(z[2, 3]), eager[2, 3], rtol=1e-4)

    @tf.function(jit_compile=True)
    def compiled(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            q = prior.distribution()
            drawn = q.sample(6, seed=tf.constant([1, 2]))
            log_prob = q.log_prob(z)
        return log_prob, tape.gradient(log_prob, z), drawn, q.log_prob(drawn)

    log_prob, gradient, drawn, density = compiled(tf.constant(z))
    np.testing.assert_allclose(log_prob, eager, rtol=1e-4, atol=1e-4)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_allclose(density, p.log_prob(tf.constant(drawn.numpy())), rtol=1e-3, atol=1e-3)


@every
def test_one_draw_a_seed_in_a_map(prior_class):
    prior = make(prior_class)
    seeds = tf.constant([[1, 2], [3, 4], [1, 2]])

    @tf.function
    def draw():
        p = prior.distribution()
        return tf.map_fn(lambda seed: p.sample(seed=seed), seeds, fn_output_signature=p.dtype)

    z = draw()
    assert z.shape == (3, 2)
    np.testing.assert_array_equal(z[0], z[2])
    assert not np.allclose(z[0], z[1])
    np.testing.assert_allclose(z[1], prior.distribution().sample(seed=seeds[1]), rtol=1e-5)


@every
def test_saves_and_loads(prior_class, tmp_path):
    @keras.saving.register_keras_serializable("tests", f"Holder{prior_class.__name__}")
    class Holder(keras.Model):
        def __init__(self, prior, **kwargs):
            super().__init__(**kwargs)
            self.prior = prior

        def call(self, z):
            return self.prior.distribution().log_prob(z)

        def get_config(self):
            return {"prior": keras.saving.serialize_keras_object(self.prior)}

        @classmethod
        def from_config(cls, config):
            return cls(keras.saving.deserialize_keras_object(config["prior"]))

    model = Holder(make(prior_class))
    z = np.ones([3, 2], np.float32)
    wanted = model(z)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.prior.get_config() == model.prior.get_config()
    assert len(loaded.trainable_weights) == len(model.prior.weights) > 0
    np.testing.assert_array_equal(loaded(z), wanted)


def test_masked_autoregressive_flow_of_one_latent():
    prior = make(MaskedAutoregressiveFlow, 1)
    p = prior.distribution()
    x = np.linspace(-30, 30, 6001, dtype=np.float32)
    assert np.exp(p.log_prob(x[:, None])).sum() * 0.01 == pytest.approx(1, abs=1e-3)
    assert p.sample(3, seed=tf.constant([1, 2])).shape == (3, 1)


def test_real_nvp_of_one_latent_is_refused():
    with pytest.raises(
        ValueError,
        match=r"expected at least 2, received 1\. Use keras_vae\.priors\.MaskedAutoregressiveFlow for one latent",
    ):
        RealNVP(1)


@every
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event_shape": (4, 4)}, r"expected event_shape to be a number of latents.*received \(4, 4\)"),
        ({"event_shape": 0}, "event_shape"),
        ({"flows": 0}, "flows: expected a positive integer, received 0"),
        ({"hidden": "64"}, "expected hidden to be a sequence"),
        ({"hidden": [8, -1]}, "received -1"),
    ],
)
def test_bad_arguments_are_refused(prior_class, arguments, message):
    with pytest.raises(ValueError, match=message):
        prior_class(**{"event_shape": 2, **arguments})
