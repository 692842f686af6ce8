import numpy as np
import pytest
import scipy.special
import scipy.stats

import keras_vae as kv
from keras_vae.models import READY_MADE
from keras_vae.models.catalog import CATALOG, OWN_LIKELIHOOD

# Of each kind one, the others in `make stress`: each is built, which takes seconds.
_BY_DEFAULT = {
    "vae",
    "factor-analysis",
    "hierarchical",
    "cvae",
    "vamp",
    "gumbel",
    "nvil",
    "continuous-bernoulli",
    "iaf",
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in _BY_DEFAULT else [pytest.mark.stress]) for n in READY_MADE]
)
def test_every_ready_made_model_trains_measures_and_samples(name, binary_images):
    own = name in OWN_LIKELIHOOD
    x = 0.1 + 0.8 * binary_images if own else binary_images
    hidden = () if name == "factor-analysis" else [16]
    classes = 4 if READY_MADE[name].conditional else None
    vae = kv.models.make(name, (8, 8, 1), latent_size=3, hidden=hidden, classes=classes, examples=x, seed=1)
    y = np.arange(64) % 4 if READY_MADE[name].conditional else None
    vae.compile(run_eagerly=True)  # for so few steps quicker than tracing
    history = vae.fit(x, y, epochs=2, verbose=0).history
    assert np.all(np.isfinite(history["bound"]))
    few = x[:4] if y is None else (x[:4], y[:4])
    assert np.isfinite(kv.evaluation.log_likelihood(vae, few, num_samples=10, verbose=False).mean)
    assert vae.sample(2, seed=0, condition=None if y is None else 1).shape == (2, 8, 8, 1)


def test_those_tried_by_default_exist():
    assert set(READY_MADE) >= _BY_DEFAULT


def test_all_have_a_paper_and_a_sentence():
    assert list(CATALOG) == list(READY_MADE)
    assert all(paper[-4:].isdecimal() and sentence for paper, sentence in CATALOG.values())


def test_vamp_begins_with_data_of_any_range():
    x = np.random.default_rng(0).normal(scale=5, size=[20, 4]).astype(np.float32)
    prior = kv.models.make("vamp", (4,), likelihood="normal", examples=x, hidden=[4]).prior
    assert np.all(np.isin(prior.pseudo_inputs().numpy(), x))


def test_factor_analysis_has_the_marginal_it_is_known_for():
    vae = kv.models.make("factor-analysis", (6,), latent_size=2, seed=0)
    vae.decoder.family.log_scale.assign(np.linspace(-1, 0, 6))
    kernel, bias = vae.decoder.head.get_weights()
    x = np.random.default_rng(0).normal(size=[5, 6]).astype(np.float32)
    covariance = kernel.T @ kernel + np.diag(np.exp(2 * np.linspace(-1, 0, 6)))
    wanted = scipy.stats.multivariate_normal(bias, covariance).logpdf(x)
    grid = np.linspace(-6, 6, 240, dtype=np.float32)
    z = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 1, 2)
    log_joint = vae.likelihood(z).log_prob(x) + vae.prior_distribution().log_prob(z)
    found = scipy.special.logsumexp(log_joint.numpy(), axis=0) + 2 * np.log(grid[1] - grid[0])
    np.testing.assert_allclose(found, wanted, atol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kv.models.make("iwea", (8, 8, 1)), "received 'iwea'. Did you mean 'iwae'"),
        (
            lambda: kv.models.make("cvae", (8, 8, 1)),
            "classes: expected a number for a conditional model, received none. Pass classes=10",
        ),
        (lambda: kv.models.make("vamp", (8, 8, 1)), "Pass examples=x_train"),
        (
            lambda: kv.models.make("factor-analysis", (8,), likelihood="bernoulli"),
            "factor-analysis: expected likelihood='normal', .* received likelihood='bernoulli'",
        ),
        (lambda: kv.models.make("info-vae", (8,), num_samples=10), "expected num_samples=1, .* received 10"),
        (
            lambda: kv.priors.VampPrior(kv.families.Normal(2), (8,), 3, initial=np.full([3, 8], 255)),
            r"expected values in \[0, 1\], received values from 255 to 255",
        ),
        (lambda: kv.models.make("vae", (8, 8, 1), latent_size=0), "latent_size: expected a positive integer"),
        (lambda: kv.models.vae((8, 8, 1), likelihood="bernouli"), "Did you mean 'bernoulli'"),
    ],
)
def test_what_is_missing_or_contradictory_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
