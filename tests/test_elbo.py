import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae as kv
from keras_vae.inference.kl import closed_form_kl
from tests import linear_gaussian


@pytest.mark.parametrize(("m", "s"), [(0.0, 1.0), (1.5, 0.3), (-2.0, 2.0)])
def test_closed_form_kl_against_quadrature(m, s):
    q = scipy.stats.norm(m, s)
    wanted, _ = scipy.integrate.quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - scipy.stats.norm.logpdf(z)), m - 12 * s, m + 12 * s
    )
    posterior = tfd.Independent(tfd.Normal([[m]], [[s]]), 1)
    found = closed_form_kl(posterior, kv.priors.StandardNormal(1).distribution())
    assert float(found[0]) == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_bound_is_exact_at_the_exact_posterior():
    # log p(x, z) − log q(z|x) is then log p(x) whatever z is, so one sample is enough.
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(50)
    wanted = linear_gaussian.marginal().logpdf(x)
    np.testing.assert_allclose(vae.log_weights(x, 3), np.tile(wanted, (3, 1)), rtol=1e-4, atol=1e-4)


def test_elbo_mean_over_many_samples_at_the_exact_posterior():
    vae, x = linear_gaussian.model(exact_posterior=True, num_samples=20_000), linear_gaussian.data(20)
    terms = vae.objective(vae, x, seed=tf.constant([1, 2]))
    # The closed-form KL leaves the noise of the reconstruction term: under 2 nats for one sample, so 0.1 is
    # seven standard errors.
    np.testing.assert_allclose(terms["bound"], linear_gaussian.marginal().logpdf(x), atol=0.1)
    np.testing.assert_allclose(terms["bound"], terms["reconstruction"] - terms["kl"], rtol=1e-6)
    np.testing.assert_allclose(terms["loss"], -terms["bound"])


def test_bound_falls_short_by_the_posteriors_divergence():
    """log p(x) − ELBO = KL(q ‖ exact posterior), known for two diagonal normals."""
    near, exact = (linear_gaussian.model(exact, 50_000) for exact in (False, True))
    x = linear_gaussian.data(10)
    gap = tfd.kl_divergence(near.posterior(x), exact.posterior(x))
    bound = near.objective(near, x, seed=tf.constant([1, 2]))["bound"]
    np.testing.assert_allclose(linear_gaussian.marginal().logpdf(x) - bound, gap, atol=0.07)


def test_gradient_against_finite_differences_of_the_exact_elbo():
    """The reparameterized gradient's mean against the exact ELBO of a linear-Gaussian model."""
    vae, x = linear_gaussian.model(False, 20_000), linear_gaussian.data(1)
    w, b = linear_gaussian.weights()
    sigma = linear_gaussian.SIGMA
    q = vae.posterior(x)
    m, s = q.mean()[0].numpy().astype(float), q.stddev()[0].numpy().astype(float)

    def exact(m, s):
        residual = x[0] - b - w @ m
        spread = np.sum((w**2) @ (s**2))
        log_likelihood = -0.5 * (residual @ residual + spread) / sigma**2 - 2.5 * np.log(2 * np.pi * sigma**2)
        return log_likelihood - 0.5 * np.sum(m**2 + s**2 - np.log(s**2) - 1)

    bias = vae.encoder.head.bias
    with tf.GradientTape() as tape:
        bound = vae.objective(vae, x, seed=tf.constant([5, 6]))["bound"][0]
    found = tape.gradient(bound, bias.value).numpy().reshape(2, 2)  # [latent, (loc, log-variance)]
    h = 1e-5
    for k in range(2):
        step = h * np.eye(2)[k]
        wanted_loc = (exact(m + step, s) - exact(m - step, s)) / (2 * h)
        wanted_log_variance = (exact(m, s * np.exp(step / 2)) - exact(m, s * np.exp(-step / 2))) / (2 * h)
        # One sample's gradient varies by about 5, so five standard errors of 20,000 are 0.18.
        assert found[k, 0] == pytest.approx(wanted_loc, abs=0.18)
        assert found[k, 1] == pytest.approx(wanted_log_variance, abs=0.18)


class _MixturePrior(kv.priors.Prior):
    """A prior for which TFP knows no closed-form KL."""

    def distribution(self, condition=None, posterior=None, training=None):
        return tfd.MixtureSameFamily(
            tfd.Categorical(probs=[0.5, 0.5]),
            tfd.MultivariateNormalDiag([[-1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]),
        )


def test_kl_by_monte_carlo_where_there_is_no_closed_form():
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP(), kv.families.Normal(2)),
        kv.Decoder(kv.networks.MLP(), kv.families.Normal(5, scale=1.0)),
        prior=_MixturePrior(2),
        objective=kv.objectives.ELBO(20_000),
    )
    x = linear_gaussian.data(3)
    posterior, prior = vae.posterior(x), vae.prior.distribution()
    assert closed_form_kl(posterior, prior) is None
    found = vae.objective(vae, x, seed=tf.constant([1, 2]))["kl"]
    grid = np.linspace(-12, 12, 600)
    z = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).astype(np.float32)
    for i in range(3):
        q = tfd.MultivariateNormalDiag(posterior.mean()[i], posterior.stddev()[i])
        log_q = q.log_prob(z).numpy()
        wanted = np.sum(np.exp(log_q) * (log_q - prior.log_prob(z).numpy())) * (grid[1] - grid[0]) ** 2
        # One sample's log-ratio varies by about 2: five standard errors of 20,000 are 0.07.
        assert float(found[i]) == pytest.approx(wanted, abs=0.07)


@pytest.mark.parametrize("value", [0, -1, 1.5, "1"])
def test_bad_number_of_samples_is_refused(value):
    with pytest.raises(ValueError, match="num_samples: expected a positive integer"):
        kv.objectives.ELBO(value)
