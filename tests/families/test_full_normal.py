import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.full_normal import FullNormal
from keras_vae.families.normal import Normal

D = 3
SIZE = D + D * (D + 1) // 2


def unconstrained(*lead, magnitude=1.0):
    return (magnitude * np.random.default_rng(3).normal(size=[*lead, SIZE])).astype(np.float32)


def exact(values):
    """scipy's distribution of one row, with its covariance from the family in float64."""
    p = FullNormal(D, dtype="float64")(tf.constant(values, tf.float64))
    factor = p["scale_tril"].numpy()
    return scipy.stats.multivariate_normal(p["loc"].numpy(), factor @ factor.T)


def test_log_density_against_scipy():
    values = unconstrained(5)
    x = np.random.default_rng(4).normal(size=[5, D]).astype(np.float32)
    family = FullNormal(D)
    found = family.distribution(family(values)).log_prob(x)
    np.testing.assert_allclose(found, [exact(v).logpdf(xi) for v, xi in zip(values, x, strict=True)], rtol=1e-5)


def test_gradient_against_finite_differences_of_scipy():
    values, x = unconstrained().astype(np.float64), np.array([0.3, -1.0, 0.7])
    variable = tf.Variable(values)
    family = FullNormal(D, dtype="float64")
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(variable)).log_prob(x)
    h = 1e-5
    wanted = [(exact(values + e).logpdf(x) - exact(values - e).logpdf(x)) / (2 * h) for e in h * np.eye(SIZE)]
    np.testing.assert_allclose(tape.gradient(log_prob, variable), wanted, rtol=1e-5, atol=1e-7)


def test_zero_is_the_standard_normal():
    p = FullNormal(D)(tf.zeros([SIZE]))
    np.testing.assert_array_equal(p["loc"], np.zeros(D))
    np.testing.assert_array_equal(p["scale_tril"], np.eye(D))


def test_every_covariance_can_be_had():
    # The factor is triangular with a positive diagonal, and each of its entries moves freely.
    values = tf.Variable(unconstrained())
    with tf.GradientTape() as tape:
        factor = FullNormal(D)(values)["scale_tril"]
    jacobian = tape.jacobian(factor, values).numpy().reshape(D * D, SIZE)
    np.testing.assert_array_equal(np.triu(factor, 1), np.zeros([D, D]))
    assert np.all(np.diag(factor) > 0)
    assert np.linalg.matrix_rank(jacobian) == D * (D + 1) // 2


def test_total_probability_is_1():
    family = FullNormal(2)
    p = family.distribution(family(tf.constant([0.3, -0.2, -0.5, 1.0, 0.2])))
    axis = np.linspace(-12, 12, 601, dtype=np.float32)
    z = np.stack(np.meshgrid(axis, axis), axis=-1)
    # The trapezoidal rule is exact to rounding for a smooth density that vanishes at both ends.
    assert float(tf.reduce_sum(p.prob(z))) * (24 / 600) ** 2 == pytest.approx(1.0, abs=1e-5)


def test_mean_and_scale_against_scipy():
    values = unconstrained(2, 4)
    family = FullNormal(D)
    p = family(values)
    wanted = [[np.sqrt(np.diag(exact(v).cov)) for v in row] for row in values]
    np.testing.assert_array_equal(family.mean(p), values[..., :D])
    np.testing.assert_allclose(family.scale(p), wanted, rtol=1e-5)


def test_samples_against_the_density():
    values = unconstrained()
    family = FullNormal(D)
    draws = family.distribution(family(values)).sample(2000, seed=tf.constant([1, 2])).numpy()
    wanted = exact(values)
    # The squared Mahalanobis distance is chi-squared, and every projection is normal. Level 0.001, seed fixed.
    residuals = draws - wanted.mean
    distances = np.sum(residuals @ np.linalg.inv(wanted.cov) * residuals, axis=1)
    assert scipy.stats.kstest(distances, scipy.stats.chi2(D).cdf).pvalue > 0.001
    for direction in [*np.eye(D), np.ones(D), [1.0, -1.0, 0.0], [0.0, 1.0, -1.0]]:
        scale = np.sqrt(direction @ wanted.cov @ direction)
        assert scipy.stats.kstest(residuals @ direction / scale, scipy.stats.norm.cdf).pvalue > 0.001


def test_sampled_gradient_against_the_exact_one():
    # E[½ zᵀz] = ½ |loc|² + ½ |L|².
    values = tf.Variable(unconstrained())
    family = FullNormal(D)
    with tf.GradientTape(persistent=True) as tape:
        p = family(values)
        z = family.distribution(p).sample(20_000, seed=tf.constant([1, 2]))
        found = 0.5 * tf.reduce_mean(tf.reduce_sum(z**2, axis=-1))
        wanted = 0.5 * tf.reduce_sum(p["loc"] ** 2) + 0.5 * tf.reduce_sum(p["scale_tril"] ** 2)
    # 20,000 draws of a gradient of order 1: a standard error near 0.02.
    np.testing.assert_allclose(tape.gradient(found, values), tape.gradient(wanted, values), atol=0.1)


def test_kl_to_the_standard_normal_is_closed():
    family = FullNormal(D)
    values = unconstrained(2)
    prior = tfd.MultivariateNormalDiag(tf.zeros(D), tf.ones(D))
    for found, row in zip(tfd.kl_divergence(family.distribution(family(values)), prior), values, strict=True):
        q = exact(row)
        wanted = 0.5 * (np.trace(q.cov) + q.mean @ q.mean - D - np.linalg.slogdet(q.cov)[1])
        assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_no_couplings_is_the_diagonal_family():
    loc, log_variance = np.array([0.5, -1.0, 2.0], np.float32), np.array([-2.0, 0.0, 1.0], np.float32)
    diagonal = Normal(D)
    wanted = diagonal.distribution(diagonal(np.stack([loc, log_variance], axis=-1)))
    family = FullNormal(D)
    found = family.distribution({"loc": tf.constant(loc), "scale_tril": tf.linalg.diag(np.exp(0.5 * log_variance))})
    assert float(found.log_prob([0.1, 0.2, 0.3])) == pytest.approx(float(wanted.log_prob([0.1, 0.2, 0.3])), rel=1e-6)


@pytest.mark.parametrize("magnitude", [40.0, 1e6])
def test_extreme_values_stay_finite(magnitude):
    signs = np.sign(np.random.default_rng(5).normal(size=[200, SIZE])).astype(np.float32)
    values = tf.Variable(magnitude * signs)
    family = FullNormal(D)
    with tf.GradientTape(persistent=True) as tape:
        q = family.distribution(family(values))
        z = q.sample(seed=tf.constant([1, 2]))
        own, elsewhere = q.log_prob(z), q.log_prob(tf.zeros([200, D]))
    for found in (z, own, elsewhere, tape.gradient(own, values), tape.gradient(elsewhere, values)):
        assert np.all(np.isfinite(found))


def test_leading_axes_map_fn_and_xla():
    family = FullNormal(D)
    values = tf.constant(unconstrained(2, 3))
    parameters = family(values)
    q = family.distribution(parameters)
    assert q.batch_shape == (2, 3)
    assert q.event_shape == (D,)
    assert q.reparameterization_type == tfd.FULLY_REPARAMETERIZED
    z = q.sample(4, seed=tf.constant([1, 2]))
    assert z.shape == (4, 2, 3, D)
    row = q.log_prob(z)[2, 1, 0]
    assert float(family.distribution(family(values[1, 0])).log_prob(z[2, 1, 0])) == pytest.approx(float(row), rel=1e-4)

    @tf.function(jit_compile=True)
    def compiled(values, z):
        q = family.distribution(family(values))
        return q.log_prob(z), q.sample(4, seed=tf.constant([1, 2])), family.scale(family(values))

    log_prob, sample, scale = compiled(values, z)
    np.testing.assert_allclose(log_prob, q.log_prob(z), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(scale, family.scale(parameters), rtol=1e-6)
    assert np.all(np.isfinite(sample))

    def one_row(row):
        return family.distribution(row).sample(seed=tf.constant([1, 2]))

    rows = {name: tensor[0] for name, tensor in parameters.items()}
    mapped = tf.function(lambda: tf.map_fn(one_row, rows, fn_output_signature=tf.float32))()
    np.testing.assert_allclose(mapped[1], one_row({name: t[0, 1] for name, t in parameters.items()}), rtol=1e-6)


def test_config_round_trip():
    family = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(FullNormal(D)))
    assert isinstance(family, FullNormal)
    assert family.event_shape == (D,)
    assert family.parameters_shape == (SIZE,)


@pytest.mark.parametrize("shape", [0, -1, (), (28, 28), 1.5, "20", True])
def test_bad_event_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"FullNormal: (event_shape: expected|expected event_shape) .*, received"):
        FullNormal(shape)
