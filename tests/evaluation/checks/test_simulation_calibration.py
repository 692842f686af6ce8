import json

import numpy as np
import pytest

import keras_vae as kv
from keras_vae.evaluation.checks.simulation_calibration import simulation_calibration
from tests import linear_gaussian
from tests.evaluation import labeled

# The exact posterior's standard deviations.
SCALES = linear_gaussian.SIGMA / np.sqrt(np.sum(linear_gaussian.weights()[0] ** 2, axis=0) + linear_gaussian.SIGMA**2)


def off(shift=0.0, factor=1.0):
    """The exact posterior moved by `shift` standard deviations, each multiplied by `factor`."""
    vae = linear_gaussian.model(exact_posterior=True)
    kernel, bias = vae.encoder.head.get_weights()
    bias = bias.reshape(-1, 2)
    bias[:, 0] += shift * SCALES
    bias[:, 1] += 2 * np.log(factor)
    vae.encoder.head.set_weights([kernel, bias.ravel()])
    return vae


def test_the_exact_posterior_passes():
    found = simulation_calibration(off(), num_simulations=1050, num_draws=49, verbose=False)
    assert found.calibrated
    assert set(found.verdicts) == {"no fault found"}
    np.testing.assert_array_equal(found.counts.sum(axis=1), [1050] * 3)
    assert found.counts.shape == (3, 50)
    assert not found.warnings()


@pytest.mark.parametrize(
    ("shifts", "factors", "verdicts"),
    [
        ((0.5, 0.0), (1.0, 0.7), ("biased high", "overconfident")),
        ((0.0, -0.7), (1.4, 0.7), ("underconfident", "biased low, overconfident")),
    ],
)
def test_each_fault_is_told_and_measured(shifts, factors, verdicts):
    shifts, factors = np.array(shifts), np.array(factors)
    found = simulation_calibration(off(shifts, factors), num_simulations=1000, num_draws=49, verbose=False)
    assert not found.calibrated
    assert found.verdicts[:2] == verdicts
    # The truth as seen in the wrong posterior's standard deviations; the fit is exact here.
    assert np.all(np.abs(found.offsets[:2] + shifts / factors) < 4 * found.offset_errors[:2])
    assert np.all(np.abs(np.log(found.spreads[:2] * factors)) < 4 * found.log_spread_errors[:2])


@pytest.mark.stress
@pytest.mark.parametrize(("factor", "verdict"), [(0.7, "draws too probable"), (1.4, "draws too improbable")])
def test_the_joint_density_tells_narrow_from_wide(factor, verdict):
    assert (
        simulation_calibration(off(0.0, factor), num_simulations=1000, num_draws=49, verbose=False).verdicts[2]
        == verdict
    )


def test_a_posterior_that_ignores_x_is_found_by_the_joint_density_alone():
    vae = linear_gaussian.model(exact_posterior=True)
    vae.encoder.head.set_weights([np.zeros_like(part) for part in vae.encoder.head.get_weights()])  # the prior
    found = simulation_calibration(vae, num_simulations=1000, num_draws=49, verbose=False)
    assert found.verdicts == ("no fault found", "no fault found", "draws too improbable")


def test_importance_resampling_mends_a_wrong_posterior():
    found = simulation_calibration(
        off(0.5, 1.4), num_simulations=1000, num_draws=49, importance_samples=1000, verbose=False
    )
    assert found.calibrated


def test_resampling_from_few_is_told():
    ample = simulation_calibration(off(), num_simulations=200, num_draws=9, importance_samples=90, verbose=False)
    np.testing.assert_allclose(ample.effective_samples, 90, rtol=1e-4)  # equal weights
    assert not ample.warnings()
    few = simulation_calibration(off(), num_simulations=200, num_draws=9, importance_samples=9, verbose=False)
    assert "until the effective number is 90" in few.warnings()[0]


def test_a_conditional_model_is_right_given_y():
    vae, y = labeled.model(), np.arange(600) % 2
    assert simulation_calibration(vae, num_simulations=600, num_draws=19, condition=y, verbose=False).calibrated
    kernel, bias = vae.encoder.head.get_weights()
    kernel[-1] = kernel[-2]  # takes label 1 for label 0
    vae.encoder.head.set_weights([kernel, bias])
    assert not simulation_calibration(vae, num_simulations=600, num_draws=19, condition=1, verbose=False).calibrated


@pytest.mark.stress
def test_bounded_latents_and_equal_joint_densities():
    """With a decoder that ignores z every log p(x, z) is the same: ranks among equals are drawn by lot."""
    family = kv.families.PiecewiseConstant(2)
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP(), family),
        kv.Decoder(kv.networks.MLP(), kv.families.Normal(3, scale=1.0)),
        kv.priors.Uniform(family),
    )
    for part in (vae.encoder, vae.decoder):
        part.head.set_weights([np.zeros_like(weight) for weight in part.head.get_weights()])
    assert simulation_calibration(vae, num_simulations=1000, num_draws=19, verbose=False).calibrated


def test_seeds_repeat_batches_are_cut_and_all_is_saved(tmp_path):
    vae = off(2.0)
    first, again, other = (
        simulation_calibration(vae, num_simulations=25, num_draws=9, batch_size=10, seed=seed, verbose=False)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.counts, again.counts)
    assert not np.array_equal(first.counts, other.counts)
    assert first.counts.sum() == 3 * 25
    assert "25 simulations" in first.warnings()[0]
    assert "biased high" in str(first)
    first.plot(tmp_path / "ranks.png")
    first.save(tmp_path / "ranks.json")
    saved = json.loads((tmp_path / "ranks.json").read_text())
    assert saved["calibrated"] is False
    np.testing.assert_array_equal(saved["counts"], first.counts)


def test_bad_arguments_are_refused():
    vae = off()
    for bad, match in (
        ({"num_simulations": 0}, "num_simulations"),
        ({"num_draws": 0.5}, "num_draws"),
        ({"importance_samples": 10}, "expected 99 or more"),
        ({"condition": 1}, "no"),
    ):
        with pytest.raises(ValueError, match=match):
            simulation_calibration(vae, **bad)
    with pytest.raises(ValueError, match="condition"):
        simulation_calibration(labeled.model())
    discrete = kv.VAE(
        kv.Encoder(kv.networks.MLP(), kv.families.GumbelSoftmax((2, 3))),
        kv.Decoder(kv.networks.MLP(), kv.families.Bernoulli(4)),
        kv.priors.Uniform(kv.families.OneHotCategorical((2, 3))),
    )
    with pytest.raises(ValueError, match="continuous latents"):
        simulation_calibration(discrete)
