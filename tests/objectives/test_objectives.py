import math

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae as kv
from keras_vae.objectives import ELBO, IWAE, BetaTC, InfoVAE, closed_form_kl, kl_per_latent
from keras_vae.objectives.info_vae import squared_mmd
from tests import linear_gaussian
from tests.stub_parts import StubModel

SEED = tf.constant([1, 2])


def terms(vae, objective, x, training=None):
    return {name: value.numpy() for name, value in objective(vae, x, SEED, training).items()}


@pytest.fixture(scope="module")
def near():
    return linear_gaussian.model(exact_posterior=False), linear_gaussian.data(200)


def test_beta_weighs_the_kl_in_the_loss_and_not_in_the_bound(near):
    vae, x = near
    plain, heavy = terms(vae, ELBO(), x), terms(vae, ELBO(beta=4.0), x)
    np.testing.assert_allclose(heavy["bound"], plain["bound"], rtol=1e-5)
    np.testing.assert_allclose(heavy["loss"], 4 * plain["kl"] - plain["reconstruction"], rtol=1e-5)


def test_a_scheduled_beta_follows_the_steps():
    vae = linear_gaussian.model(exact_posterior=False)
    vae.objective = ELBO(beta=kv.schedules.Linear(0.0, 1.0, steps=10))
    vae.compile(kv_sgd(), jit_compile=False)
    x = linear_gaussian.data(20)
    for beta in (0.0, 0.5):
        found = vae.evaluate(x, verbose=0, return_dict=True)
        assert found["loss"] == pytest.approx(beta * found["kl"] - found["reconstruction"], rel=1e-5)
        assert found["bound"] == pytest.approx(found["reconstruction"] - found["kl"], rel=1e-5)
        vae.fit(x, batch_size=4, verbose=0)  # five steps


def kv_sgd():
    import keras

    return keras.optimizers.SGD(0.0)


def test_free_bits_price_a_latent_at_the_batchs_mean_or_lambda(near):
    vae, x = near
    by_latent = kl_per_latent(vae.posterior(x), vae.prior_distribution()).numpy()
    plain = terms(vae, ELBO(), x)
    np.testing.assert_allclose(by_latent.sum(axis=1), plain["kl"], rtol=1e-5)
    between = float(by_latent.mean(axis=0).mean())  # one latent's mean is below, the other's above
    for free in (0.0, between, 100.0):
        wanted = np.maximum(by_latent.mean(axis=0), free).sum() - plain["reconstruction"].mean()
        assert terms(vae, ELBO(free_bits=free), x)["loss"].mean() == pytest.approx(wanted, rel=1e-5)
        np.testing.assert_allclose(terms(vae, ELBO(free_bits=free), x)["bound"], plain["bound"], rtol=1e-5)

    def gradient(free):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(ELBO(free_bits=free)(vae, x, SEED)["loss"] + ELBO()(vae, x, SEED)["reconstruction"])
        return tape.gradient(loss, vae.encoder.head.bias.value).numpy().reshape(2, 2)

    below = by_latent.mean(axis=0) < between
    assert below.sum() == 1
    # Where the KL is free it pulls at nothing.
    np.testing.assert_allclose(gradient(between)[below], 0, atol=1e-5)
    np.testing.assert_allclose(gradient(between)[~below], gradient(0.0)[~below], rtol=1e-4, atol=1e-6)


def test_bounds_come_in_order_and_reach_the_exact_log_likelihood(near):
    """ELBO ≤ IWAE(5) ≤ IWAE(50) ≤ L_5000, and linear-Gaussian: equal to the exact value."""
    vae, x = near
    exact = linear_gaussian.marginal().logpdf(x)
    # Many repetitions of each x, so that the means' errors are far below the bounds' distances.
    repeated = np.repeat(x[:20], 500, axis=0)
    bounds = [terms(vae, o, repeated)["bound"].mean() for o in (ELBO(), IWAE(5), IWAE(50))]
    estimate = kv.evaluation.log_likelihood(vae, x[:20], num_samples=5000, verbose=False)
    bounds.append(estimate.mean)
    assert bounds == sorted(bounds)
    assert bounds[1] - bounds[0] > 0.02
    # The weights' relative spread is below 1: five standard errors of 20 means of 5,000 weights.
    assert estimate.mean == pytest.approx(exact[:20].mean(), abs=5 / math.sqrt(20 * 5000))


def test_one_importance_sample_is_the_elbo(near):
    vae, x = near
    np.testing.assert_allclose(
        terms(vae, IWAE(1), x)["bound"], terms(vae, ELBO(estimator="sticking_the_landing"), x)["bound"], rtol=1e-5
    )


def test_total_correlation_against_two_normals():
    """With one narrow posterior an example, q(z) is known: z is correlated by as much as the means are."""
    rng = np.random.default_rng(0)
    correlation, count = 0.9, 4000
    means = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=count).astype(np.float32)
    spread = 0.3

    x = tf.constant(means)
    values = tf.stack([x, tf.fill(x.shape, np.float32(2 * np.log(spread)))], axis=-1)
    prior = kv.priors.StandardNormal(2).distribution()
    # A likelihood of 1 for all z.
    uniform = lambda z: tfd.Independent(tfd.Uniform(-100 + 0 * z, -99 + 0 * z), 1)  # noqa: E731
    model = StubModel(kv.families.Normal(2), values, prior, uniform)
    found = terms(model, BetaTC(count, beta=3.0), tf.fill(x.shape, -99.5))
    variance = 1 + spread**2
    wanted = -0.5 * np.log(1 - (correlation / variance) ** 2)
    # The error of a kernel estimate with 4,000 kernels of width 0.3, and of a mean of 4,000.
    assert found["total_correlation"].mean() == pytest.approx(wanted, abs=0.05)
    latent_kl = 2 * 0.5 * (variance - 1 - np.log(variance))
    assert found["latent_kl"].mean() == pytest.approx(latent_kl, abs=0.05)
    total = found["mutual_information"] + found["total_correlation"] + found["latent_kl"]
    np.testing.assert_allclose(total, found["kl"], atol=1e-4)
    np.testing.assert_allclose(found["loss"], total + 2 * found["total_correlation"], atol=1e-3)


def test_mmd_against_its_expectation():
    """For a, b ~ N(0, I), N(m, I) the kernel's expectations are Gaussian integrals."""
    rng = np.random.default_rng(0)
    dims, count, shift = 2, 3000, 1.5
    a, b = rng.normal(size=[2, count, dims]).astype(np.float32)
    b[:, 0] += shift

    def kernel_mean(distance):
        # E exp(−‖u − v‖²/2D), u − v ~ N(d, 2I): a ratio of normal densities at d.
        wide = scipy.stats.multivariate_normal([0, 0], (dims + 2) * np.eye(2)).pdf([distance, 0])
        return wide * (2 * np.pi * dims) ** (dims / 2)

    wanted = 2 * kernel_mean(0) - 2 * kernel_mean(shift)
    assert float(squared_mmd(tf.constant(a), tf.constant(b))) == pytest.approx(wanted, rel=0.05)
    same = float(squared_mmd(tf.constant(a), tf.constant(a[::-1].copy())))
    assert abs(same) < 1e-6


def test_info_vae_is_the_elbo_without_its_divergence(near):
    vae, x = near
    found, plain = terms(vae, InfoVAE(alpha=0.0, lambda_=1.0), x), terms(vae, ELBO(), x)
    np.testing.assert_allclose(found["loss"], plain["loss"], rtol=1e-5)
    heavy = terms(vae, InfoVAE(alpha=1.0, lambda_=5.0), x)
    np.testing.assert_allclose(heavy["loss"], 5 * heavy["mmd"] - heavy["reconstruction"], rtol=1e-5)
    assert np.all(heavy["mmd"] == heavy["mmd"][0])


def test_full_covariance_kl_against_monte_carlo():
    tril = np.array([[1.2, 0.0], [-0.7, 0.4]])
    q = tfd.MultivariateNormalTriL([[0.3, -1.0]], tril[None].astype(np.float32))
    found = closed_form_kl(tfd.MultivariateNormalTriL([[0.3, -1.0]], tf.constant(tril[None], tf.float32)), prior2())
    exact = scipy.stats.multivariate_normal([0.3, -1.0], tril @ tril.T)
    z = exact.rvs(200_000, random_state=0)
    ratio = exact.logpdf(z) - scipy.stats.norm.logpdf(z).sum(axis=1)
    assert float(found[0]) == pytest.approx(ratio.mean(), abs=5 * ratio.std() / math.sqrt(200_000))
    assert q.batch_shape == [1]


@pytest.mark.parametrize("scale", [0.5, "learned", "learned_per_element"])
def test_full_covariance_kl_to_a_normal_with_one_scale(scale):
    q = tfd.MultivariateNormalTriL([[0.3, -1.0]], [[[1.2, 0.0], [-0.7, 0.4]]])
    prior = kv.priors.Learned(kv.families.Normal(2, scale=scale), initializer="zeros")
    width = 0.5 if scale == 0.5 else 1.0
    tril = np.array([[1.2, 0.0], [-0.7, 0.4]])
    covariance, mean = tril @ tril.T, np.array([0.3, -1.0])
    wanted = 0.5 * (
        np.trace(covariance) / width**2 + mean @ mean / width**2 - 2 - np.linalg.slogdet(covariance / width**2)[1]
    )
    assert float(closed_form_kl(q, prior.distribution())[0]) == pytest.approx(wanted, rel=1e-5)


def prior2():
    return kv.priors.StandardNormal(2).distribution()


def test_categorical_kl_of_each_variable():
    family = kv.families.OneHotCategorical((2, 3))
    logits = np.array([[[0.0, 1.0, -2.0], [0.5, 0.5, 0.5]]], np.float32)
    q = family.distribution({"logits": tf.constant(logits)})
    p = scipy.special.softmax(logits[0], axis=1)
    wanted = np.sum(p * np.log(p * 3), axis=1)
    found = kl_per_latent(q, kv.priors.Uniform(family).distribution())
    np.testing.assert_allclose(found[0], wanted, atol=1e-6)


def test_an_objective_with_weights_cannot_be_swapped_in(binary_images):
    family = kv.families.Bernoulli(3)
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP([4]), family),
        kv.Decoder(kv.networks.MLP([4]), kv.families.Bernoulli((8, 8, 1))),
        prior=kv.priors.Uniform(kv.families.Bernoulli(3)),
        objective=ELBO(2, estimator="leave_one_out"),
    )
    vae.objective = ELBO(estimator="nvil")
    with pytest.raises(
        ValueError, match=r"without weights after construction, received ELBO with weights\. Pass it to the constructor"
    ):
        vae.compile()
