import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.encoder_decoder import Encoder
from keras_vae.families.planar_flow import PlanarFlow
from keras_vae.networks import MLP
from tests.flow_checks import cell_probabilities, differences, jacobian, randomize, samples_fit


def values(flows, size=2, seed=0, scale=1.0, leading=()):
    shape = [*leading, 2 * size + flows * (2 * size + 1)]
    return np.random.default_rng(seed).normal(scale=scale, size=shape).astype(np.float32)


def distribution(family, unconstrained):
    return family.distribution(family(tf.convert_to_tensor(unconstrained)))


@pytest.mark.parametrize("seed", [1, 2, 3])  # whose ridges are no finer than the grid
def test_total_probability_is_one(seed):
    q = distribution(PlanarFlow(2, flows=3), values(3, seed=seed))
    # Beyond ±12 there is less than 1e-4.
    assert cell_probabilities(q, 12.0, 16, 25).sum() == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_samples_against_the_density(seed):
    assert samples_fit(distribution(PlanarFlow(2, flows=3), values(3, seed=seed)), 6.0) > 0.001  # level 0.001


def test_log_density_against_the_jacobian():
    family = PlanarFlow(4, flows=3)
    parameters = family(tf.constant(values(3, size=4)))
    bijector = family.bijector(parameters)
    z = np.random.default_rng(1).normal(size=4).astype(np.float32)
    _, wanted = np.linalg.slogdet(jacobian(bijector.forward, z))
    base = tfd.MultivariateNormalDiag(parameters["loc"], parameters["scale"]).log_prob(z)
    there = tf.constant(bijector.forward(z).numpy())
    assert float(family.distribution(parameters).log_prob(there)) == pytest.approx(float(base) - wanted, rel=1e-4)


def test_maps_apply_in_order():
    # Rezende & Mohamed (2015), equation 10, twice, with u = 0 in one map at a time.
    family = PlanarFlow(1, flows=2)
    first, second = tf.constant([0.0, 0.0, 3.0, 0.0, 1.0, 1.0, 0.0, 0.5]), tf.constant([0.0] * 8)
    second = tf.tensor_scatter_nd_update(second, [[2], [3], [4], [5]], [3.0, 1.0, 1.0, -2.0])
    z = tf.constant([0.7])
    one = family.bijector(family(first)).forward(z)
    u_hat = float(one[0] - z[0]) / np.tanh(0.7)
    then = family.bijector(family(second)).forward(z)
    after_first = 0.7 + u_hat * np.tanh(0.7)
    only_second = family.bijector(family(tf.tensor_scatter_nd_update(second, [[2]], [0.0]))).forward([after_first])
    np.testing.assert_allclose(then, only_second, rtol=1e-5)


def test_a_sample_and_its_density():
    q = distribution(PlanarFlow(2), values(4))
    z, log_prob = q.experimental_sample_and_log_prob(6, seed=tf.constant([1, 2]))
    np.testing.assert_allclose(q.log_prob(tf.constant(z.numpy())), log_prob, rtol=1e-3, atol=1e-3)
    assert q.reparameterization_type == tfd.FULLY_REPARAMETERIZED


def test_gradients_against_differences():
    keras.config.set_dtype_policy("float64")
    family = PlanarFlow(3, flows=2)
    z = tf.constant([0.3, -0.4, 0.8], tf.float64)
    at = values(2, size=3).astype(np.float64)
    v = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(v)
        out = distribution(family, v).log_prob(z)
    wanted = differences(lambda v: distribution(family, v).log_prob(z), at)
    np.testing.assert_allclose(tape.gradient(out, v), wanted, rtol=1e-5, atol=1e-7)


def test_gradients_of_samples_against_differences():
    keras.config.set_dtype_policy("float64")
    family = PlanarFlow(2, flows=2)

    def drawn(v):
        return tf.reduce_sum(distribution(family, v).sample(3, seed=tf.constant([1, 2])) ** 2)

    at = values(2).astype(np.float64)
    v = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(v)
        out = drawn(v)
    np.testing.assert_allclose(tape.gradient(out, v), differences(drawn, at), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("size", [40.0, 1e6])
def test_extreme_parameters_stay_finite(size):
    family = PlanarFlow(2)
    v = tf.constant(size * np.sign(values(4, leading=[50])))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(v)
        q = distribution(family, v)
        log_prob = q.log_prob([0.3, -0.5])
        z = q.sample(seed=tf.constant([1, 2]))
        out = tf.reduce_sum(z)
    assert np.all(np.isfinite(log_prob))
    assert np.all(np.isfinite(tape.gradient(log_prob, v)))
    assert np.all(np.isfinite(z))
    assert np.all(np.isfinite(tape.gradient(out, v)))


def test_mean_and_scale_near_those_of_samples():
    family = PlanarFlow(3, flows=2)
    parameters = family(tf.constant(values(2, size=3, scale=0.5, leading=[1])))
    draws = family.distribution(parameters).sample(20_000, seed=tf.constant([1, 2])).numpy()[:, 0]
    # Estimates, exact for affine flows only.
    np.testing.assert_allclose(family.scale(parameters)[0], draws.std(0), rtol=0.1)
    assert np.all(np.abs(family.mean(parameters)[0] - draws.mean(0)) < 0.1 * draws.std(0))


def test_the_mean_of_a_curved_flow_is_not_its_point():
    """f(loc), which `mean` used to be, is half a standard deviation away."""
    family = PlanarFlow(8, flows=4)
    parameters = family(tf.constant(values(4, size=8, leading=[20])))
    draws = family.distribution(parameters).sample(5000, seed=tf.constant([1, 2])).numpy()
    errors = [
        np.sqrt(np.mean(((found - draws.mean(0)) / draws.std(0)) ** 2))
        for found in (family.mean(parameters), family.point(parameters))
    ]
    assert errors[0] < 0.08
    assert errors[1] > 0.3
    np.testing.assert_array_equal(family.point(parameters), family.bijector(parameters).forward(parameters["loc"]))


def test_shapes_broadcast_and_compile():
    family = PlanarFlow(2, flows=3)
    z = np.random.default_rng(0).normal(size=[5, 4, 1, 2]).astype(np.float32)
    batch = values(3, leading=[6])

    def run(z):
        q = distribution(family, batch)
        drawn = q.sample(3, seed=tf.constant([1, 2]))
        return drawn, q.log_prob(drawn), q.log_prob(z), q.log_prob(z[:, 0, :]), family.scale(family(batch))

    eager = run(tf.constant(z))
    assert [tuple(t.shape) for t in eager] == [(3, 6, 2), (3, 6), (5, 4, 6), (5, 6), (6, 2)]
    np.testing.assert_allclose(eager[2][2, 1, 3], distribution(family, batch[3]).log_prob(z[2, 1, 0]), rtol=1e-3)
    for jit in (False, True):
        # XLA has a noise generator of its own: the density of what it drew, found afresh, must be the same.
        drawn, log_prob, *others = tf.function(run, jit_compile=jit)(tf.constant(z))
        afresh = distribution(family, batch).log_prob(tf.constant(drawn.numpy()))
        np.testing.assert_allclose(log_prob, afresh, rtol=1e-3, atol=1e-3)
        for found, wanted in zip(others, eager[2:], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    leading = family(tf.constant(values(3, leading=[3, 4])))
    assert family.distribution(leading).batch_shape == (3, 4)
    assert family.scale(leading).shape == family.mean(leading).shape == (3, 4, 2)


def test_rows_of_a_map_draw_their_own_noise():
    family = PlanarFlow(2, flows=2)
    parameters = family(tf.constant(np.tile(values(2), [3, 1])))
    z = tf.function(
        lambda: tf.map_fn(
            lambda row: family.distribution(row[0]).sample(4, seed=row[1]),
            (parameters, tf.constant([[1, 2], [3, 4], [1, 2]])),
            fn_output_signature=tf.float32,
        )
    )()
    assert z.shape == (3, 4, 2)
    np.testing.assert_array_equal(z[0], z[2])
    assert not np.allclose(z[0], z[1])


def test_encoder_saves_and_loads(tmp_path):
    encoder = Encoder(MLP([5]), PlanarFlow(2, flows=2))
    inputs = keras.Input([6])
    model = keras.Model(inputs, encoder(inputs))
    randomize(encoder)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    [copy] = [layer for layer in loaded.layers if isinstance(layer, Encoder)]
    x, z = np.ones([3, 6], np.float32), np.ones([3, 2], np.float32)
    np.testing.assert_array_equal(copy.distribution(x).log_prob(z), encoder.distribution(x).log_prob(z))


def test_config_round_trip():
    family = PlanarFlow(3, flows=5)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(family))
    assert copy.get_config() == family.get_config()
    assert copy.parameters_shape == family.parameters_shape == (41,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event_shape": (4, 4)}, r"expected event_shape to be a number of latents.*received \(4, 4\)"),
        ({"event_shape": -1}, "event_shape"),
        ({"flows": 0}, "flows: expected a positive integer, received 0"),
        ({"flows": True}, "flows: expected a positive integer, received True"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PlanarFlow(**{"event_shape": 2, **arguments})
