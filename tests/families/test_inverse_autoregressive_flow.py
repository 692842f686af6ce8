import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.encoder_decoder import Encoder
from keras_vae.families.inverse_autoregressive_flow import InverseAutoregressiveFlow
from keras_vae.networks import MLP
from tests.flow_checks import cell_probabilities, differences, jacobian, randomize, samples_fit

# loc, log-variance and a context of 3.
VALUES = np.array([0.4, -0.3, -0.5, 0.2, 1.0, -0.7, 0.3], np.float32)


@pytest.fixture
def family():
    family = InverseAutoregressiveFlow(2, flows=3, hidden=[8], context_size=3)
    randomize(family, 0.8)
    return family


def distribution(family, values=VALUES):
    return family.distribution(family(tf.convert_to_tensor(values)))


def test_total_probability_is_one(family):
    # Beyond ±8 there is less than 1e-4; the midpoint rule is far closer on so smooth a density.
    assert cell_probabilities(distribution(family), 8.0, 16, 20).sum() == pytest.approx(1, abs=1e-3)


def test_samples_against_the_density(family):
    assert samples_fit(distribution(family), 4.0) > 0.001  # level 0.001, seed fixed


def test_log_density_against_the_jacobian():
    family = InverseAutoregressiveFlow(4, flows=3, hidden=[8, 8], context_size=2)
    randomize(family)
    parameters = family(tf.constant(np.random.default_rng(0).normal(size=10).astype(np.float32)))
    bijector = family.bijector(parameters)
    z = np.random.default_rng(1).normal(size=4).astype(np.float32)
    _, wanted = np.linalg.slogdet(jacobian(bijector.forward, z))
    base = tfd.MultivariateNormalDiag(parameters["loc"], parameters["scale"]).log_prob(z)
    there = tf.constant(bijector.forward(z).numpy())
    found = family.distribution(parameters).log_prob(there)
    assert float(found) == pytest.approx(float(base) - wanted, rel=1e-4)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_inverse_undoes_forward(size):
    family = InverseAutoregressiveFlow(size, flows=3, hidden=[8], context_size=2)
    randomize(family, 0.5)
    parameters = family(tf.ones([2 * size + 2]))
    z = np.random.default_rng(0).normal(size=[20, size]).astype(np.float32)
    there = family.bijector(parameters).forward(z).numpy()
    found = family.bijector(parameters).inverse(tf.constant(there))
    np.testing.assert_allclose(found, z, rtol=1e-3, atol=1e-3)  # σ may be 0.01 a step, in float32


def test_a_sample_and_its_density_take_no_pass_an_element(family, monkeypatch):
    calls = []
    plain = type(family.networks[0]).call
    monkeypatch.setattr(
        type(family.networks[0]), "call", lambda self, *args, **kw: calls.append(1) or plain(self, *args, **kw)
    )
    q = distribution(family)
    z, log_prob = q.experimental_sample_and_log_prob(6, seed=tf.constant([1, 2]))
    assert len(calls) == 2 * family.flows  # once for z, once for the log-determinant: not D times
    assert q.reparameterization_type == tfd.FULLY_REPARAMETERIZED
    # As the objectives ask for them: the bijector remembers what it made.
    calls.clear()
    again = q.sample(6, seed=tf.constant([1, 2]))
    remembered = q.log_prob(again)
    assert len(calls) == 2 * family.flows
    np.testing.assert_allclose(remembered, log_prob, rtol=1e-5)
    np.testing.assert_allclose(q.log_prob(tf.constant(z.numpy())), log_prob, rtol=1e-4, atol=1e-4)


def test_gradients_against_differences():
    keras.config.set_dtype_policy("float64")
    family = InverseAutoregressiveFlow(3, flows=2, hidden=[6], context_size=2)
    randomize(family)
    z = tf.constant([0.3, -0.4, 0.8], tf.float64)

    def log_prob(values):
        return family.distribution(family(tf.convert_to_tensor(values))).log_prob(z)

    values = np.random.default_rng(0).normal(size=8)
    v = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(v)
        out = log_prob(v)
    found = tape.gradient(out, [v, *(w.value for w in family.trainable_weights)])
    np.testing.assert_allclose(found[0], differences(log_prob, values), rtol=1e-6, atol=1e-8)
    bias = family.networks[1].biases[-1]
    at = bias.numpy()

    def of_bias(value):
        bias.assign(value)
        return log_prob(v)

    wanted = differences(of_bias, at)
    [number] = [i for i, w in enumerate(family.trainable_weights) if w is bias]
    np.testing.assert_allclose(found[1 + number], wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("size", [40.0, 1e6])
def test_extreme_parameters_stay_finite(family, size):
    signs = np.sign(np.random.default_rng(0).normal(size=[20, 7])).astype(np.float32)
    v = tf.constant(size * signs)
    with tf.GradientTape() as tape:
        tape.watch(v)
        q = distribution(family, v)
        log_prob = q.log_prob([0.3, -0.5])
        z = q.sample(seed=tf.constant([1, 2]))
        out = tf.reduce_sum(z)
    assert np.all(np.isfinite(log_prob))
    assert np.all(np.isfinite(z))
    assert np.all(np.isfinite(tape.gradient(out, v)))


def test_gradients_of_the_density_stay_finite_at_forty(family):
    signs = np.sign(np.random.default_rng(0).normal(size=[20, 7])).astype(np.float32)
    v = tf.constant(40 * signs)
    with tf.GradientTape() as tape:
        tape.watch(v)
        log_prob = distribution(family, v).log_prob([0.3, -0.5])
    assert np.all(np.isfinite(tape.gradient(log_prob, v)))


def test_context_changes_the_distribution(family):
    other = VALUES + np.array([0, 0, 0, 0, 1, 0, 0], np.float32)
    z = [[0.1, 0.2]]
    assert abs(float(distribution(family).log_prob(z)[0] - distribution(family, other).log_prob(z)[0])) > 0.05


def test_mean_and_scale_near_those_of_samples():
    family = InverseAutoregressiveFlow(3, flows=2, hidden=[8], context_size=2)
    randomize(family, 0.3)
    parameters = family(tf.constant([[0.4, -0.3, 0.1, -0.5, 0.2, -1.0, 1.0, -0.7]]))
    draws = family.distribution(parameters).sample(20_000, seed=tf.constant([1, 2])).numpy()[:, 0]
    # Estimates, exact for affine flows only.
    np.testing.assert_allclose(family.scale(parameters)[0], draws.std(0), rtol=0.1)
    assert np.all(np.abs(family.mean(parameters)[0] - draws.mean(0)) < 0.1 * draws.std(0))
    assert family.mean(parameters).shape == family.scale(parameters).shape == (1, 3)


def test_mean_and_scale_are_exact_for_an_affine_flow():
    family = InverseAutoregressiveFlow(3, flows=2, hidden=[], context_size=1)
    randomize(family)
    for network in family.networks:  # constant gates and linear means make the steps affine
        network.kernels[-1].assign(network.kernels[-1] * np.tile([1.0, 0.0], 3))
    parameters = family(tf.constant([[0.4, -0.3, 0.1, -0.5, 0.2, -1.0, 1.0]]))
    matrix = jacobian(family.bijector(parameters).forward, parameters["loc"])[0, :, 0]
    covariance = matrix @ np.diag(parameters["scale"][0].numpy() ** 2) @ matrix.T
    np.testing.assert_allclose(family.scale(parameters)[0], np.sqrt(np.diag(covariance)), rtol=1e-4)
    np.testing.assert_allclose(family.mean(parameters), family.point(parameters), rtol=1e-4, atol=1e-5)


def test_shapes_broadcast_and_compile(family):
    rng = np.random.default_rng(0)
    values = rng.normal(size=[6, 7]).astype(np.float32)
    z = rng.normal(size=[5, 4, 1, 2]).astype(np.float32)

    def run(z):
        q = distribution(family, values)
        drawn = q.sample(3, seed=tf.constant([1, 2]))
        return drawn, q.log_prob(drawn), q.log_prob(z), q.log_prob(z[:, 0, :]), family.scale(family(values))

    eager = run(tf.constant(z))
    assert [tuple(t.shape) for t in eager] == [(3, 6, 2), (3, 6), (5, 4, 6), (5, 6), (6, 2)]
    np.testing.assert_allclose(eager[2][2, 1, 3], distribution(family, values[3]).log_prob(z[2, 1, 0]), rtol=1e-3)
    for jit in (False, True):
        # XLA has a noise generator of its own: the density of what it drew, found afresh, must be the same.
        drawn, log_prob, *others = tf.function(run, jit_compile=jit)(tf.constant(z))
        afresh = distribution(family, values).log_prob(tf.constant(drawn.numpy()))
        np.testing.assert_allclose(log_prob, afresh, rtol=1e-3, atol=1e-3)
        for found, wanted in zip(others, eager[2:], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    leading = family(tf.constant(rng.normal(size=[3, 4, 7]).astype(np.float32)))
    assert family.distribution(leading).batch_shape == (3, 4)
    assert family.scale(leading).shape == (3, 4, 2)


def test_gradients_compile(family):
    @tf.function(jit_compile=True)
    def gradient(v, z):
        with tf.GradientTape() as tape:
            tape.watch(v)
            log_prob = distribution(family, v).log_prob(z)
        return tape.gradient(log_prob, v)

    v, z = tf.constant(VALUES[None]), tf.constant([[0.1, 0.2]])
    np.testing.assert_allclose(gradient(v, z), gradient.python_function(v, z), rtol=1e-3, atol=1e-4)


def test_rows_of_a_map_draw_their_own_noise(family):
    values = tf.constant(np.tile(VALUES, [3, 1]))
    parameters = family(values)
    seeds = tf.constant([[1, 2], [3, 4], [1, 2]])
    z = tf.function(
        lambda: tf.map_fn(
            lambda row: family.distribution(row[0]).sample(4, seed=row[1]),
            (parameters, seeds),
            fn_output_signature=tf.float32,
        )
    )()
    assert z.shape == (3, 4, 2)
    np.testing.assert_array_equal(z[0], z[2])
    assert not np.allclose(z[0], z[1])


def test_the_networks_are_saved_and_trained(tmp_path):
    encoder = Encoder(MLP([5]), InverseAutoregressiveFlow(2, flows=2, hidden=[4], context_size=3))
    inputs = keras.Input([6])
    model = keras.Model(inputs, encoder(inputs))
    randomize(encoder)
    assert {id(w) for w in encoder.family.trainable_weights} <= {id(w) for w in model.trainable_weights}
    assert len(encoder.family.trainable_weights) == 14
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    [copy] = [layer for layer in loaded.layers if isinstance(layer, Encoder)]
    x, z = np.ones([1, 6], np.float32), np.ones([1, 2], np.float32)
    np.testing.assert_array_equal(copy.distribution(x).log_prob(z), encoder.distribution(x).log_prob(z))


def test_starts_near_its_base():
    family = InverseAutoregressiveFlow(4)
    z = np.random.default_rng(0).normal(size=[50, 4]).astype(np.float32)
    parameters = family(tf.zeros([8 + 32]))
    # Two gates of sigmoid(2) = 0.88, in reversed order.
    np.testing.assert_allclose(family.bijector(parameters).forward(z), 0.776 * z[:, ::-1], atol=0.15)


def test_config_round_trip():
    family = InverseAutoregressiveFlow(2, flows=3, hidden=[8, 4], context_size=5)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(family))
    assert copy.get_config() == family.get_config()
    assert copy.parameters_shape == family.parameters_shape == (9,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event_shape": (4, 4)}, r"expected event_shape to be a number of latents.*received \(4, 4\)"),
        ({"event_shape": 0}, "event_shape"),
        ({"flows": 0}, "flows: expected a positive integer, received 0"),
        ({"hidden": 64}, "expected hidden to be a sequence"),
        ({"context_size": 0}, "context_size: expected a positive integer, received 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        InverseAutoregressiveFlow(**{"event_shape": 2, **arguments})
