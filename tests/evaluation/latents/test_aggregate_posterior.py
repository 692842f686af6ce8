import numpy as np
import pytest
import scipy.special
import scipy.stats

import keras_vae as kv
from keras_vae.evaluation.latents import aggregate_posterior
from keras_vae.evaluation.latents.aggregate_posterior import log_aggregate


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(aggregate_posterior, "_REFERENCES", 4)  # of 11: the last chunk is smaller
    monkeypatch.setattr(aggregate_posterior, "_VALUES", 4 * 2 * 3)  # three z of two latents at once


def log_density(family):
    return lambda parameters, z: family.distribution(parameters).log_prob(z)


def full_normals(count):
    rng = np.random.default_rng(0)
    loc = rng.normal(size=[count, 2]).astype(np.float32)
    tril = np.tril(rng.normal(size=[count, 2, 2])).astype(np.float32)
    tril[:, [0, 1], [0, 1]] = 0.3 + np.abs(tril[:, [0, 1], [0, 1]])
    return loc, tril


def test_the_mixture_of_all_references_by_scipy(small_chunks):
    loc, tril = full_normals(11)
    z = loc[:7] + 0.5
    each = [scipy.stats.multivariate_normal(m, t @ t.T) for m, t in zip(loc, tril, strict=True)]
    densities = np.stack([p.logpdf(z) for p in each], axis=1)
    found = log_aggregate(
        log_density(kv.families.FullNormal(2)),
        {"loc": loc, "scale_tril": tril},
        z,
        own=densities[np.arange(7), np.arange(7)],
        left_out=np.arange(7),
        verbose=False,
    )
    wanted = scipy.special.logsumexp(densities, axis=1) - np.log(11)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_an_example_that_is_no_reference_takes_the_place_of_one(small_chunks):
    loc, scale = np.float32([[0, 0], [1, 1], [2, 2], [3, 3], [9, 9]]), np.ones([5, 2], np.float32)
    z, own = np.float32([[2, 2]]), np.array([-1.0])
    found = log_aggregate(
        log_density(kv.families.Normal(2)),
        {"loc": loc, "scale": scale},
        z,
        own=own,
        left_out=np.array([4]),
        verbose=False,
    )
    others = scipy.stats.norm.logpdf(z[:, None], loc[:4], 1).sum(-1)[0]
    wanted = scipy.special.logsumexp([-1.0, *others]) - np.log(5)
    np.testing.assert_allclose(found, [wanted], rtol=1e-6)


def test_far_references_leave_the_ceiling():
    loc = 1e4 * np.arange(8, dtype=np.float32)[:, None]
    own = np.full(8, scipy.stats.norm.logpdf(0))
    found = log_aggregate(
        log_density(kv.families.Normal(1)),
        {"loc": loc, "scale": np.ones_like(loc)},
        loc,
        own=own,
        left_out=np.arange(8),
        verbose=False,
    )
    np.testing.assert_allclose(own - found, np.log(8), rtol=1e-12)
