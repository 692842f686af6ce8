import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from scipy.special import softmax
from tensorflow_probability import distributions as tfd

from keras_vae.families.normal_mixture import NormalMixture

K, D = 3, 2
SIZE = K + 2 * K * D

# Components that overlap, whose weights, means and scales all differ.
VALUES = np.array([0.2, -0.4, 0.7, -1.0, 0.5, 0.8, -0.3, 0.4, 1.2, -0.5, 0.3, 0.1, -0.8, 0.6, -0.2])


def exact(values):
    """Weights, means and scales as the documentation has them: logits, means, log-variances."""
    matrices = np.asarray(values, np.float64)[K:].reshape(2, K, D)
    return softmax(np.asarray(values, np.float64)[:K]), matrices[0], np.exp(0.5 * matrices[1])


def exact_log_density(x, values):
    weights, loc, scale = exact(values)
    return np.log(np.sum(weights * np.prod(scipy.stats.norm(loc, scale).pdf(np.asarray(x)[..., None, :]), -1), -1))


def expectation(function, values):
    """E[function(z)] by Gauss–Hermite quadrature in every component."""
    nodes, masses = np.polynomial.hermite_e.hermegauss(40)
    noise = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1)
    masses = np.outer(masses, masses) / np.sum(masses) ** 2
    parts = zip(*exact(values), strict=True)
    return sum(w * np.sum(masses * function(loc + scale * noise, np)) for w, loc, scale in parts)


def finite_differences(function, values, h=1e-4):
    return np.array([(function(values + e) - function(values - e)) / (2 * h) for e in h * np.eye(len(values))])


def test_log_density_against_scipy():
    family = NormalMixture(D, components=K)
    x = np.random.default_rng(0).normal(scale=2, size=[50, D])
    found = family.distribution(family(tf.constant(VALUES, tf.float32))).log_prob(tf.constant(x, tf.float32))
    np.testing.assert_allclose(found, exact_log_density(x, VALUES), rtol=1e-5, atol=1e-5)


def test_gradient_of_the_log_density_against_finite_differences():
    variable = tf.Variable(VALUES, dtype=tf.float32)
    family = NormalMixture(D, components=K)
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(variable)).log_prob([0.3, -0.9])
    wanted = finite_differences(lambda v: exact_log_density([0.3, -0.9], v), VALUES)
    np.testing.assert_allclose(tape.gradient(log_prob, variable), wanted, rtol=1e-4, atol=1e-5)


def test_total_probability_is_1():
    family = NormalMixture(D, components=K)
    p = family.distribution(family(tf.constant(VALUES, tf.float32)))
    axis = np.linspace(-12, 12, 401, dtype=np.float32)
    z = np.stack(np.meshgrid(axis, axis), axis=-1)
    # The trapezoidal rule is exact to rounding for a smooth density that vanishes at both ends.
    assert float(tf.reduce_sum(p.prob(z))) * (24 / 400) ** 2 == pytest.approx(1.0, abs=1e-5)


def test_mean_and_scale_against_quadrature():
    family = NormalMixture(D, components=K)
    parameters = family(tf.constant(VALUES, tf.float32))
    for i in range(D):
        mean = expectation(lambda z, _: z[..., i], VALUES)  # noqa: B023
        variance = expectation(lambda z, _: (z[..., i] - mean) ** 2, VALUES)  # noqa: B023
        assert float(family.mean(parameters)[i]) == pytest.approx(mean, rel=1e-5)
        assert float(family.scale(parameters)[i]) == pytest.approx(np.sqrt(variance), rel=1e-5)


@pytest.mark.parametrize("direction", [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -2.0]])
def test_samples_against_the_density(direction):
    family = NormalMixture(D, components=K)
    draws = family.distribution(family(tf.constant(VALUES, tf.float32))).sample(2000, seed=tf.constant([1, 2]))
    weights, loc, scale = exact(VALUES)
    # A projection of the mixture is the mixture of the projections.
    parts = scipy.stats.norm(loc @ direction, np.sqrt(scale**2 @ np.square(direction)))
    # Level 0.001, seed fixed.
    found = scipy.stats.kstest(draws.numpy() @ direction, lambda x: parts.cdf(x[..., None]) @ weights)
    assert found.pvalue > 0.001


def test_sampled_gradient_against_finite_differences_of_the_quadrature():
    def function(z, module):
        # Not a sum over elements, so that the order of the conditional distributions matters.
        return module.sin(z[..., 0] + 2.0 * z[..., 1]) + z[..., 0] ** 2 * z[..., 1]

    groups = 400
    family = NormalMixture(D, components=K)
    values = tf.Variable(np.tile(VALUES, [groups, 1]), dtype=tf.float32)
    with tf.GradientTape() as tape:
        z = family.distribution(family(values)).sample(300, seed=tf.constant([3, 4]))
        total = tf.reduce_sum(tf.reduce_mean(function(z, tf), axis=0))
    gradients = tape.gradient(total, values).numpy()
    wanted = finite_differences(lambda v: expectation(function, v), VALUES)
    standard_errors = gradients.std(axis=0) / np.sqrt(groups)
    # An estimate of nothing would pass if the errors were large beside the gradient.
    assert np.all(standard_errors < 0.05)
    # 15 normal numbers: beyond 4 once in a thousand runs; the seed is fixed.
    np.testing.assert_array_less(np.abs(gradients.mean(axis=0) - wanted) / standard_errors, 4.0)


def test_alike_components_have_the_gradient_of_one():
    # With z = loc + scale ε in all components, each one's gradient is its weight's share of the single normal's.
    family = NormalMixture(D, components=K)
    values = tf.Variable(np.concatenate([np.log([0.2, 0.3, 0.5]), np.zeros(2 * K * D)]), dtype=tf.float32)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(family.distribution(family(values)).sample(seed=tf.constant([1, 2])))
    gradient = tape.gradient(total, values).numpy()
    np.testing.assert_allclose(gradient[:K], np.zeros(K), atol=1e-6)
    np.testing.assert_allclose(gradient[K : K + K * D].reshape(K, D), np.outer([0.2, 0.3, 0.5], [1, 1]), rtol=1e-5)


@pytest.mark.parametrize(
    "choices", [[0.0], [-30.0, 30.0], [-40.0, 0.0, 40.0], [-1e6, 1e6], [-1e6, -30.0, 0.0, 1.0, 30.0, 1e6]], ids=str
)
def test_extreme_values_stay_finite(choices):
    # Components far apart, alike, and with scales from e⁻¹⁵ to e¹⁵ beside each other.
    values = tf.Variable(np.random.default_rng(6).choice(choices, size=[300, SIZE]), dtype=tf.float32)
    family = NormalMixture(D, components=K)
    with tf.GradientTape(persistent=True) as tape:
        q = family.distribution(family(values))
        z = q.sample(4, seed=tf.constant([1, 2]))
        own, elsewhere = q.log_prob(z), q.log_prob(tf.zeros([300, D]))
    gradients = [tape.gradient(target, values) for target in (z, own, elsewhere)]
    for found in (z, own, elsewhere, *gradients):
        assert np.all(np.isfinite(found))


def test_leading_axes_map_fn_and_xla():
    family = NormalMixture(D, components=K)
    values = tf.constant(np.random.default_rng(7).normal(size=[2, 4, SIZE]), tf.float32)
    parameters = family(values)
    q = family.distribution(parameters)
    assert q.batch_shape == (2, 4)
    assert q.event_shape == (D,)
    assert q.reparameterization_type == tfd.FULLY_REPARAMETERIZED
    z = q.sample(5, seed=tf.constant([1, 2]))
    assert z.shape == (5, 2, 4, D)
    row = exact_log_density(z[3, 1, 2].numpy(), values[1, 2].numpy())
    assert float(q.log_prob(z)[3, 1, 2]) == pytest.approx(row, rel=1e-4)

    @tf.function(jit_compile=True)
    def compiled(values, z):
        with tf.GradientTape() as tape:
            tape.watch(values)
            q = family.distribution(family(values))
            sample = q.sample(5, seed=tf.constant([1, 2]))
        return q.log_prob(z), sample, tape.gradient(sample, values)

    log_prob, sample, gradient = compiled(values, z)
    np.testing.assert_allclose(log_prob, q.log_prob(z), rtol=1e-5, atol=1e-5)
    # XLA's noise is other noise: the sample can only be seen to be one, with a gradient.
    assert np.all(np.isfinite(sample))
    assert np.all(np.abs(gradient).max(axis=-1) > 0)

    def one_row(row):
        return family.distribution(row).sample(seed=tf.constant([1, 2]))

    rows = {name: tensor[0] for name, tensor in parameters.items()}
    mapped = tf.function(lambda: tf.map_fn(one_row, rows, fn_output_signature=tf.float32))()
    np.testing.assert_allclose(mapped[1], one_row({name: t[0, 1] for name, t in parameters.items()}), rtol=1e-6)


def test_config_round_trip():
    family = NormalMixture(D, components=K)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(family))
    assert isinstance(again, NormalMixture)
    assert again.parameters_shape == family.parameters_shape == (SIZE,)
    assert again.components == K


@pytest.mark.parametrize("shape", [0, -1, (), (28, 28), 1.5, "20", True])
def test_bad_event_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"NormalMixture: (event_shape: expected|expected event_shape) .*, received"):
        NormalMixture(shape)


@pytest.mark.parametrize("components", [0, -1, 2.0, "5", True, None])
def test_bad_components_are_refused(components):
    with pytest.raises(ValueError, match="NormalMixture: components: expected a positive integer, received"):
        NormalMixture(2, components=components)
