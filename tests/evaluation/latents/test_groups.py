"""What the latents of a chain of two groups hold, against its exact posterior."""

import keras
import numpy as np
import pytest

import keras_vae as kv
from tests.linear_chain import BOTTOM, DATA, SCALES, TOP, data, linear_chain, posteriors


def test_the_rate_of_a_chain_is_exact_in_all_and_split_by_group():
    vae, marginal, (a, b) = linear_chain(exact=True)
    x = data(marginal, 1000)
    found = kv.evaluation.rate_distortion(vae, x, num_samples=20, verbose=False)
    # The ELBO is log p(x) where q is exact; 20,000 draws, each off by 1 or 2 nats.
    assert found.elbo == pytest.approx(np.mean(marginal.logpdf(x)), abs=0.05)
    # The rate is I(x; z) = I(x; z1), ½ log of the ratio of covariances; its aggregate posterior is the prior.
    noise = SCALES["x"] ** 2 * np.eye(DATA)
    information = 0.5 * (np.linalg.slogdet(np.cov(x.T))[1] - np.linalg.slogdet(noise)[1])
    assert found.rate == pytest.approx(information, abs=0.1)
    assert found.mutual_information == pytest.approx(found.rate, abs=0.15)
    np.testing.assert_allclose(sum(found.rates_by_group.values()), found.rate_per_example, rtol=1e-4)
    # E KL(q(z2|z1) ‖ N(0, I)) for z1 ~ q(z1|x), x ~ p(x), that is z1 ~ p(z1).
    slope, covariance = posteriors(a, b)["z2"]
    of_z1 = a @ a.T + SCALES["z1"] ** 2 * np.eye(BOTTOM)
    wanted = 0.5 * (np.trace(covariance) + np.trace(slope @ of_z1 @ slope.T) - TOP - np.linalg.slogdet(covariance)[1])
    assert np.mean(found.rates_by_group["z2"]) == pytest.approx(wanted, abs=0.1)
    assert found.nats == {"z1": None, "z2": None}  # FullNormal is no product over latents
    assert not found.exact_rate
    assert found.active_units == BOTTOM + TOP
    assert {name: int(active.sum()) for name, active in found.active.items()} == {"z1": BOTTOM, "z2": TOP}
    assert [row[0] for row in found.table()][:4] == ["", "rate", "  of z1", "  of z2"]
    assert any("group z1" in warning for warning in found.warnings())
    assert {"rates_by_group", "rate"} <= set(found.to_dict())


def diagonal(order=("z2", "z1")):
    """Build a chain whose posterior factorizes; z2's ignores z1 and is the prior."""
    sizes = {"z1": 3, "z2": 2}
    first, second = order
    keras.utils.set_random_seed(3)
    vae = kv.VAE(
        encoder=kv.ChainEncoder(
            {name: kv.Encoder(kv.networks.MLP(), kv.families.Normal(size)) for name, size in sizes.items()}
        ),
        decoder=kv.Decoder(kv.networks.MLP(), kv.families.Normal(DATA, scale=1.0)),
        prior=kv.priors.Chain(
            {
                first: kv.priors.StandardNormal(sizes[first]),
                second: kv.Decoder(kv.networks.MLP(), kv.families.Normal(sizes[second])),
            }
        ),
        seed=1,
    )
    head = vae.encoder.links["z2"].head
    head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return vae


def test_nats_of_latents_are_given_where_they_have_a_closed_form():
    vae, x = diagonal(), data(linear_chain()[1], 60)
    found = kv.evaluation.rate_distortion(vae, x, num_samples=50, verbose=False)
    assert found.nats["z1"] is None
    np.testing.assert_allclose(found.nats["z2"], 0, atol=1e-6)
    np.testing.assert_allclose(found.rates_by_group["z2"], 0, atol=1e-6)
    assert {name: int(active.sum()) for name, active in found.active.items()} == {"z1": 3, "z2": 0}
    assert len(found.figure().axes) == 2
    ordered = kv.evaluation.rate_distortion(diagonal(("z1", "z2")), x, num_samples=50, verbose=False)
    np.testing.assert_allclose(ordered.nats["z1"].sum(), np.mean(ordered.rates_by_group["z1"]), rtol=1e-5)
    np.testing.assert_allclose(ordered.nats["z2"].sum(), np.mean(ordered.rates_by_group["z2"]), rtol=1e-5)


def test_monitor_measures_each_group_and_names_the_one_that_collapsed(tmp_path):
    x = data(linear_chain()[1], 200)
    monitor = kv.training.Monitor(x, tmp_path)
    with pytest.warns(
        kv.training.PosteriorCollapseWarning, match="posterior of the group 'z2' has collapsed"
    ) as caught:
        history = diagonal().fit(x[:50], epochs=2, verbose=0, callbacks=[monitor]).history
    assert len([w for w in caught if issubclass(w.category, kv.training.PosteriorCollapseWarning)]) == 1
    found = monitor.history[-1]
    assert (found["active_units"], found["active_units/z1"], found["active_units/z2"]) == (3, 3, 0)
    assert history["active_units/z2"] == [0, 0]
    assert found["kl"]["z1"] is None
    np.testing.assert_allclose(found["kl"]["z2"], 0, atol=1e-6)
    assert found["rate/z2"] == pytest.approx(0, abs=1e-6)
    assert found["rate"] == pytest.approx(found["rate/z1"] + found["rate/z2"], rel=1e-4)


def test_monitor_takes_the_rates_from_samples_where_the_objective_reports_none(monkeypatch):
    vae, marginal, _ = linear_chain(exact=True)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    x = data(marginal, 1000)
    monitor = kv.training.Monitor(x)
    monkeypatch.setattr(vae, "evaluate", lambda *_, **__: {})
    vae.fit(x[:50], epochs=1, verbose=0, callbacks=[monitor])
    wanted = kv.evaluation.rate_distortion(vae, x, num_references=10, verbose=False)
    for name in ("z1", "z2"):
        # Both are means of 10,000 draws, whose deviations are near 2 nats.
        assert monitor.history[0][f"rate/{name}"] == pytest.approx(
            np.mean(wanted.rates_by_group[name], dtype=np.float64), abs=0.1
        )


def test_activity_is_given_by_group():
    vae, marginal, (a, b) = linear_chain(exact=True)
    x = data(marginal, 50)
    found = kv.latent.activity(vae, x)
    means = x @ posteriors(a, b)["z1"][0].T
    np.testing.assert_allclose(found["z1"], means.var(axis=0), rtol=1e-3)
    np.testing.assert_allclose(found["z2"], (means @ posteriors(a, b)["z2"][0].T).var(axis=0), rtol=1e-3)
