import numpy as np
import pytest
import scipy.stats

from keras_vae.evaluation.checks.rank_statistics import ecdf_band, normal_fit, uniformity_p_value


def ranks(offset, spread, draws, simulations, seed=0):
    """Counts of ranks of truths N(offset, spread²) among standard normal draws."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(offset, spread, [simulations, 1])
    below = np.sum(rng.normal(size=[simulations, draws]) < truth, axis=1)
    return np.bincount(below, minlength=draws + 1)


def test_p_values_of_uniform_ranks_are_uniform():
    rng = np.random.default_rng(5)
    sets = rng.integers(101, size=[1000, 300])  # 101 ranks: unequal bins
    p_values = [uniformity_p_value(np.bincount(found, minlength=101)) for found in sets]
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


def test_equal_counts_pass_and_unequal_ones_fail():
    assert uniformity_p_value(np.full(101, 10)) == pytest.approx(1)
    # (12 − 10)²/10 in each of 100 ranks, summed in bins of five: 40, and 19 degrees of freedom.
    assert uniformity_p_value(np.repeat([12, 8], 50)) == pytest.approx(scipy.stats.chi2(19).sf(40))


@pytest.mark.parametrize(("offset", "spread"), [(0, 1), (0.5, 1.4), (-1, 0.6), (2, 1), (0, 3)])
@pytest.mark.parametrize("draws", [9, 99])
def test_the_fit_finds_offset_and_spread(offset, spread, draws):
    fit = normal_fit(ranks(offset, spread, draws, 5000))
    assert abs(fit.offset - offset) < 4 * fit.offset_error
    assert abs(np.log(fit.spread / spread)) < 4 * fit.log_spread_error
    assert fit.offset_error < 0.1
    assert fit.log_spread_error < 0.05


def test_the_fit_knows_its_errors():
    fits = [normal_fit(ranks(0.4, 1.3, 19, 400, seed)) for seed in range(40)]
    # Standard deviations of 40 estimates are themselves known to 11 %.
    assert np.std([fit.offset for fit in fits]) == pytest.approx(fits[0].offset_error, rel=0.4)
    assert np.std(np.log([fit.spread for fit in fits])) == pytest.approx(fits[0].log_spread_error, rel=0.4)


def test_the_fit_ends_where_all_ranks_are_extreme():
    counts = np.zeros(20, int)
    counts[-1] = 500
    fit = normal_fit(counts)
    assert fit.offset > 2
    counts[0] = 500
    assert normal_fit(counts).spread > 5


def test_uniform_ranks_stay_in_the_band():
    low, high = ecdf_band(simulations=200, ranks=20)
    sets = np.random.default_rng(7).integers(20, size=[4000, 200])
    below = np.mean(sets[:, :, None] <= np.arange(19), axis=1)
    inside = np.mean(np.all((below >= low) & (below <= high), axis=1))
    assert inside == pytest.approx(0.95, abs=0.02)  # 4,000 and 2,000 sets: ± 0.006; counts are discrete
    assert low[9] < 0.5 < high[9]
