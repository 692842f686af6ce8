import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from keras_vae.flows.planar import Planar
from tests.flow_checks import differences, jacobian


def planar(u, w, b, dtype=tf.float64):
    return Planar(tf.constant(u, dtype), w=tf.constant(w, dtype), b=tf.constant(b, dtype))


def random_parameters(seed, size=3, scale=1.5):
    rng = np.random.default_rng(seed)
    return rng.normal(scale=scale, size=size), rng.normal(scale=scale, size=size), rng.normal()


# Its own copies, so that the bijector's memory of its forward values is of no help.
def fresh(z):
    return tf.constant(np.array(z))


@pytest.mark.parametrize("seed", range(8))
def test_log_determinant_against_the_jacobian(seed):
    step = planar(*random_parameters(seed))
    z = np.random.default_rng(100 + seed).normal(size=3)
    sign, wanted = np.linalg.slogdet(jacobian(step.forward, z))
    assert sign == 1
    assert float(step.forward_log_det_jacobian(fresh(z))) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    there = fresh(step.forward(fresh(z)))
    assert float(planar(*random_parameters(seed)).inverse_log_det_jacobian(there)) == pytest.approx(-wanted, rel=1e-8)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.1, 1.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_inverse_undoes_forward(seed, scale):
    step = planar(*random_parameters(seed, scale=scale))
    z = np.random.default_rng(100 + seed).normal(scale=2.0, size=[50, 3])
    np.testing.assert_allclose(step.inverse(fresh(step.forward(z))), z, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("slope", [-0.98, -0.5, 0.3, 8.0, 1e3, 1e6, 1e12])
def test_inverse_solves_the_scalar_equation(slope):
    # In one dimension with w = 1 the map is t + slope · tanh t; the root by Brent's method.
    u = scipy.optimize.brentq(lambda u: float(planar([u], [1.0], 0.0)._slope) - slope, -60, 2 * slope + 10, xtol=1e-13)
    step = planar([u], [1.0], 0.0)
    slope = float(step._slope)
    for target in np.append(np.linspace(-3, 3, 13), [0.999 * slope, slope, 1.5 * slope]):
        wanted = scipy.optimize.brentq(
            lambda t, target=target: t + slope * np.tanh(t) - target, -abs(target) - 2, abs(target) + 2, xtol=1e-14
        )
        found = float(step._inverse(tf.constant([target], tf.float64))[0])
        # z = z' − û tanh t cancels: relative to z', not to z.
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12 * (1 + abs(target)))


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_the_inverse_against_differences(seed):
    values = np.concatenate([np.ravel(p) for p in random_parameters(seed)] + [[0.3, -0.8, 1.1]])

    def split(v):
        u, w, b, z = tf.split(v, [3, 3, 1, 3])
        step = Planar(u, w=w, b=b[0])
        return tf.reduce_sum(step.inverse(z) * [1.0, 2.0, 3.0]) + step.inverse_log_det_jacobian(z)

    v = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(v)
        out = split(v)
    np.testing.assert_allclose(
        tape.gradient(out, v), differences(lambda v: split(tf.constant(v)), values), rtol=1e-6, atol=1e-7
    )


def test_the_image_of_w_u_stays_above_minus_one_and_u_zero_is_the_identity():
    rng = np.random.default_rng(0)
    for scale in (1e-8, 1e-3, 1.0, 40.0, 1e6):
        for other in (1e-8, 1e-3, 1.0, 40.0, 1e6):
            u, w = rng.normal(scale=scale, size=[100, 4]), rng.normal(scale=other, size=[100, 4])
            step = planar(u, w, np.zeros(100))
            assert np.all(step._slope > -0.991)
            # The product itself, as far as the cancellation in u + (…) w lets it be compared.
            rounding = 1e-12 * np.linalg.norm(w, axis=1) * np.linalg.norm(u, axis=1)
            wu = np.sum(w * step._u_hat.numpy(), axis=1)
            assert np.all(np.abs(wu - step._slope) <= 1e-9 * np.abs(step._slope) + rounding)
    z = rng.normal(size=[5, 3])
    np.testing.assert_allclose(planar(np.zeros(3), [1.0, -2.0, 0.5], 0.7).forward(z), z, rtol=1e-15)


def test_gradient_at_u_zero():
    w, z = tf.constant([0.8, -0.5], tf.float64), tf.constant([0.4, 0.9], tf.float64)

    def value(u):
        return tf.reduce_sum(Planar(tf.constant(u), w=w, b=tf.constant(0.2, tf.float64)).forward(z) * [1.0, 3.0])

    u = tf.zeros([2], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(u)
        out = tf.reduce_sum(Planar(u, w=w, b=tf.constant(0.2, tf.float64)).forward(z) * [1.0, 3.0])
    # m has one derivative at zero from both sides.
    np.testing.assert_allclose(tape.gradient(out, u), differences(value, np.zeros(2)), rtol=1e-6)


@pytest.mark.parametrize("size_u", [0.0, 1.0, 40.0, 1e6])
@pytest.mark.parametrize("size_w", [0.0, 1e-20, 1e-4, 1.0, 40.0, 1e6])
def test_extreme_parameters_stay_finite(size_u, size_w):
    signs = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]], np.float32)
    u, w = tf.constant(size_u * signs), tf.constant(np.full([3, 2], size_w, np.float32))
    for b in (-size_w, 0.0, 1e6):
        b = tf.fill([3], tf.constant(b, tf.float32))
        with tf.GradientTape() as tape:
            tape.watch([u, w, b])
            step = Planar(u, w=w, b=b)
            z = step.inverse(tf.constant([0.3, -0.5]))
            out = tf.reduce_sum(z) + tf.reduce_sum(step.inverse_log_det_jacobian(tf.constant([0.3, -0.5])))
        assert np.all(np.isfinite(z))
        assert all(np.all(np.isfinite(g)) for g in tape.gradient(out, [u, w, b]))


def test_small_w_does_not_blow_up():
    for size in (1e-2, 1e-5, 1e-12, 0.0):
        step = planar([2.0, -1.0], [size, size], 0.5)
        # û is u and at most as much again.
        assert np.linalg.norm(step._u_hat) <= 2 * np.linalg.norm([2.0, -1.0])


def test_broadcasts_and_compiles():
    rng = np.random.default_rng(0)
    u, w, b, z = (rng.normal(size=s).astype(np.float32) for s in ([6, 2], [6, 2], [6], [5, 4, 1, 2]))

    def run(z):
        step = Planar(tf.constant(u), w=tf.constant(w), b=tf.constant(b))
        return step.forward(z), step.inverse(z), step.inverse_log_det_jacobian(z)

    eager = run(tf.constant(z))
    assert [tuple(t.shape) for t in eager] == [(5, 4, 6, 2), (5, 4, 6, 2), (5, 4, 6)]
    one = Planar(tf.constant(u[3]), w=tf.constant(w[3]), b=tf.constant(b[3])).inverse(tf.constant(z[2, 1, 0]))
    np.testing.assert_allclose(eager[1][2, 1, 3], one, rtol=1e-5, atol=1e-6)
    for found, wanted in zip(tf.function(run, jit_compile=True)(tf.constant(z)), eager, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert Planar(tf.constant(u), w=tf.constant(w), b=tf.constant(b)).experimental_batch_shape() == (6,)
