"""Metrics of disentanglement on representations made by hand, whose scores are known."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, mutual_info_score, r2_score

from keras_vae.evaluation.latents import disentanglement_metrics as of
from keras_vae.evaluation.latents.disentanglement_metrics.classifiers import Groups
from keras_vae.evaluation.latents.disentanglement_metrics.information import entropies, of_information
from keras_vae.evaluation.latents.disentanglement_metrics.predictors import of_importance

SIZES = (3, 4, 5)
FACTORS = np.indices([*SIZES, 20]).reshape(4, -1).T[:, :3]  # each combination 20 times
SQUARE = np.indices([4, 4, 60]).reshape(3, -1).T[:, :2]  # two factors of equal size
NOISE = np.random.default_rng(5).normal(size=[len(FACTORS), 6])
SCORES = {
    "beta_vae": of.beta_vae,
    "factor_vae": of.factor_vae,
    "mig": of.mig,
    "sap": of.sap,
    "dci_disentanglement": lambda codes, factors: of.dci(codes, factors).disentanglement,
    "dci_completeness": lambda codes, factors: of.dci(codes, factors).completeness,
    "dci_informativeness": lambda codes, factors: of.dci(codes, factors).informativeness,
    "modularity": of.modularity,
}
FAST = {name: SCORES[name] for name in ("mig", "sap", "modularity")}


@pytest.mark.parametrize("name", SCORES)
def test_one_latent_a_factor_is_perfect(name):
    assert SCORES[name](FACTORS.astype(float), FACTORS) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", SCORES)
def test_order_scale_and_sign_of_the_latents_do_not_matter(name):
    codes = FACTORS[:, [2, 0, 1]] * [-1e-3, 7.0, 250.0] + [0.0, 5.0, -1e4]
    assert SCORES[name](codes, FACTORS) == pytest.approx(1, abs=1e-9)


def test_the_scale_of_noisy_latents_does_not_matter_to_the_classifiers():
    codes = FACTORS + 0.4 * NOISE[:, :3]
    scaled = codes * [1e-4, 1e-4, 250.0]
    assert 0.9 < of.factor_vae(codes, FACTORS) == of.factor_vae(scaled, FACTORS)
    assert 0.9 < of.beta_vae(codes, FACTORS) == pytest.approx(of.beta_vae(scaled, FACTORS), abs=1e-3)


def test_thresholds_on_a_categorical_factor_reach_one_less_chance():
    assert of.sap(FACTORS * 1.0, FACTORS, categorical=[0]) == pytest.approx((1 - 1 / 3 + 1 + 1) / 3)
    # A factor of three kinds in an order of its own: R² does not see it, thresholds do.
    codes = FACTORS * 1.0
    codes[:, 0] = np.array([0.0, 2.0, 1.0])[FACTORS[:, 0]]
    assert of.sap(codes, FACTORS, categorical=[0]) == pytest.approx((1 - 1 / 3 + 1 + 1) / 3)
    assert of.sap(codes, FACTORS) == pytest.approx((0.25 + 1 + 1) / 3)


def test_codes_turned_by_45_degrees_separate_nothing():
    codes = SQUARE @ np.array([[1.0, 1.0], [1.0, -1.0]])
    for name, wanted in {"mig": 0, "sap": 0, "modularity": 0}.items():
        assert SCORES[name](codes, SQUARE) == pytest.approx(wanted, abs=1e-9), name
    # Chance among two: 5,000 trials have a standard deviation of 0.007.
    assert of.beta_vae(codes, SQUARE) == pytest.approx(0.5, abs=0.04)
    assert of.factor_vae(codes, SQUARE) == pytest.approx(0.5, abs=0.04)
    found = of.dci(codes, SQUARE)
    assert found.disentanglement < 0.15  # which of two equal latents is split on first varies from tree to tree
    assert found.completeness < 0.15
    assert found.informativeness == 1


def test_two_latents_for_each_factor():
    codes = np.concatenate([SQUARE, -3.0 * SQUARE], axis=1)
    assert of.mig(codes, SQUARE) == pytest.approx(0, abs=1e-9)
    assert of.sap(codes, SQUARE) == pytest.approx(0, abs=1e-9)
    assert of.modularity(codes, SQUARE) == pytest.approx(1)
    assert of.beta_vae(codes, SQUARE) == 1
    assert of.factor_vae(codes, SQUARE) == 1
    found = of.dci(codes, SQUARE)
    assert found.disentanglement == pytest.approx(1, abs=1e-9)
    assert found.completeness == pytest.approx(0.5, abs=0.1)  # half of its importance each: 1 − log 2 / log 4
    assert found.informativeness == 1


def test_one_latent_for_all_factors():
    factors = np.indices([3, 4, 200]).reshape(3, -1).T[:, :2]
    rng = np.random.default_rng(0)
    codes = np.stack([4.0 * factors[:, 0] + factors[:, 1], np.zeros(len(factors))], axis=1)
    assert of.mig(codes, factors) == pytest.approx(1)  # it holds both, and no other latent does
    # Its information is log 3 and log 4; the latent that never varies counts as 0.
    assert of.modularity(codes, factors) == pytest.approx((1 - (np.log(3) / np.log(4)) ** 2) / 2)
    found = of.dci(codes + rng.normal(0, [0, 1], codes.shape), factors)
    assert found.disentanglement < 0.02
    assert found.completeness > 0.95
    assert found.informativeness == 1
    # The larger steps of the first factor carry 32/3 and the second's 5/4 of the variance.
    assert of.sap(codes, factors) == pytest.approx((32 / 3 / (32 / 3 + 5 / 4) + 5 / 4 / (32 / 3 + 5 / 4)) / 2)


def test_noise_reaches_chance():
    # The bias of MI from 1,200 rows: 19 · 4 / 2,400 = 0.03 nats of log 5; differences between latents are smaller.
    assert of.mig(NOISE, FACTORS) < 0.03
    assert of.sap(NOISE, FACTORS) < 0.01
    assert of.beta_vae(NOISE, FACTORS) == pytest.approx(1 / 3, abs=0.08)
    assert of.factor_vae(NOISE, FACTORS) == pytest.approx(1 / 3, abs=0.08)
    found = of.dci(NOISE, FACTORS)
    assert found.disentanglement < 0.03
    assert found.completeness < 0.03
    assert found.informativeness == pytest.approx(np.mean(1 / np.array(SIZES)), abs=0.06)
    rng = np.random.default_rng(2)
    assert of.modularity(rng.normal(size=[960, 6]), SQUARE) < 0.35  # one of two biases is always the larger


def test_mutual_information_is_that_of_the_bins():
    codes = np.random.default_rng(1).normal(size=[1200, 3]) + FACTORS
    found = of.mutual_information(codes, FACTORS)
    for latent in range(3):
        edges = np.histogram_bin_edges(codes[:, latent], 20)
        bins = np.digitize(codes[:, latent], edges[1:-1])
        for factor in range(3):
            assert found[latent, factor] == pytest.approx(mutual_info_score(bins, FACTORS[:, factor]), abs=1e-12)
    np.testing.assert_allclose(entropies(FACTORS), [stats.entropy(np.bincount(column)) for column in FACTORS.T])


def test_a_binary_channel_carries_log_2_less_the_entropy_of_its_noise():
    factor = np.repeat([0, 1], 500)
    flipped = np.where(np.arange(1000) % 10 == 0, 1 - factor, factor)  # one in ten
    factors = np.stack([factor, np.arange(1000) % 2], axis=1)
    found = of.mutual_information(np.stack([flipped, factor], axis=1), factors)
    noise = stats.entropy([0.1, 0.9])
    np.testing.assert_allclose(found[:, 0], [np.log(2) - noise, np.log(2)])
    # MIG: of the first factor all but what the noisy latent tells of it, of the second what the noise brings in.
    assert of.mig(np.stack([flipped, factor], axis=1), factors) == pytest.approx(
        (noise + np.ptp(found[:, 1])) / np.log(2) / 2
    )


def test_sap_is_the_gap_of_r2_and_of_balanced_accuracy():
    rng = np.random.default_rng(3)
    codes = np.stack([FACTORS[:, 1] + rng.normal(size=1200), -FACTORS[:, 1] + 2 * rng.normal(size=1200)], axis=1)
    factors = FACTORS[:, :2]
    fits = [np.polynomial.Polynomial.fit(code, factors[:, 1], 1)(code) for code in codes.T]
    gap = -np.diff([r2_score(factors[:, 1], fit) for fit in fits])[0]
    independent = abs(np.diff([np.corrcoef(code, factors[:, 0])[0, 1] ** 2 for code in codes.T])[0])
    assert of.sap(codes, factors) == pytest.approx((gap + independent) / 2)
    # Of a factor with two values, one of them three times as frequent, all single thresholds can be tried out.
    binary = np.stack([FACTORS[:, 1] // 3, FACTORS[:, 0]], axis=1)
    best = [
        max(
            max(balanced_accuracy_score(binary[:, 0], side) for side in (code > t, code <= t))
            for t in np.quantile(code, np.linspace(0.02, 0.98, 97))
        )
        for code in codes.T
    ]
    found = 2 * of.sap(codes, binary, categorical=[0]) - abs(
        np.diff([np.corrcoef(code, binary[:, 1])[0, 1] ** 2 for code in codes.T])[0]
    )
    assert found == pytest.approx(abs(best[0] - best[1]), abs=0.015)


def test_modularity_and_dci_of_a_matrix():
    information = np.array([[0.6, 0.3, 0.0], [0.0, 0.2, 0.2], [0.0, 0.0, 0.0]])
    assert of_information(information) == pytest.approx((1 - 0.25 / 2 + 1 - 0.5 + 0) / 3)
    importance = np.array([[0.7, 0.1], [0.2, 0.1], [0.1, 0.8]])
    found = of_importance(importance, 0.5)
    rows = [1 - stats.entropy(row, base=2) for row in importance]
    assert found.disentanglement == pytest.approx(np.average(rows, weights=[0.8, 0.3, 0.9]))
    assert found.completeness == pytest.approx(np.mean([1 - stats.entropy(c, base=3) for c in importance.T]))
    assert of_importance(np.zeros([3, 2]), 0.5).disentanglement == 0


def test_groups_share_one_factor_and_are_spread_over_the_rest():
    rng = np.random.default_rng(0)
    rows = Groups(FACTORS).draw(1, 2000, 8, rng)
    drawn = FACTORS[rows]
    assert np.all(np.ptp(drawn[..., 1], axis=1) == 0)
    assert np.all(np.ptp(drawn[..., 2], axis=1)[:50] > 0)
    for column, size in enumerate(SIZES):
        counts = np.bincount(drawn[:, :, column].ravel(), minlength=size)
        spread = np.sqrt(counts.sum() / size) * (np.sqrt(8) if column == 1 else 1)  # a group is one draw of its value
        assert np.all(np.abs(counts - counts.sum() / size) < 4 * spread)
    assert len(np.unique(rows)) == len(FACTORS)  # 16,000 draws of 1,200 rows miss none


def test_the_value_of_a_group_is_as_frequent_as_in_the_rows():
    factors = np.stack([np.repeat([7, 9], [900, 100]), np.arange(1000) % 2], axis=1)
    drawn = factors[Groups(factors).draw(0, 4000, 2, np.random.default_rng(1))][:, 0, 0]
    assert np.mean(drawn == 9) == pytest.approx(0.1, abs=0.02)  # 4 standard deviations


def test_a_seed_repeats_and_another_differs():
    codes = FACTORS + NOISE[:, :3]
    for metric in (of.beta_vae, of.factor_vae):
        assert metric(codes, FACTORS, seed=1) == metric(codes, FACTORS, seed=1) != metric(codes, FACTORS, seed=2)
    first, again, other = (of.dci(codes, FACTORS, seed=seed).importance for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", SCORES)
def test_a_latent_that_never_varies_spoils_nothing(name):
    codes = np.concatenate([FACTORS, np.full([1200, 1], 0.1)], axis=1)
    wanted = 0.75 if name == "modularity" else 1
    assert SCORES[name](codes, FACTORS) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (NOISE[:, :1], FACTORS, r"two or more latents.*received shape \(1200, 1\)"),
        (NOISE[:, 0], FACTORS, "two or more latents"),
        (NOISE.astype(str), FACTORS, "numbers"),
        (NOISE, FACTORS[:, :1], r"two or more factors.*received shape \(1200, 1\)"),
        (NOISE, FACTORS[:, 0], "two or more factors"),
        (NOISE, FACTORS * 1.0, "integers.*float64"),
        (NOISE[:9], FACTORS, "9 codes and 1200 rows"),
        (np.where(NOISE > 3, np.nan, NOISE), FACTORS, "NaN or infinity"),
        (
            NOISE,
            FACTORS * [1, 0, 1],
            r"two or more values in each column, received fewer in columns \[1\] of 1200 rows",
        ),
        (NOISE[:0], FACTORS[:0], "of 0 rows"),
    ],
)
def test_refused(codes, factors, message):
    for name, metric in SCORES.items():
        with pytest.raises(ValueError, match=f"^{name.split('_')[0]}.*{message}"):
            metric(codes, factors)


def test_other_refusals():
    with pytest.raises(ValueError, match=r"expected columns from 0 to 2, received \[3\]"):
        of.sap(NOISE, FACTORS, categorical=[3])
    with pytest.raises(ValueError, match="no latent varies"):
        of.factor_vae(np.zeros([1200, 2]), FACTORS)
    with pytest.raises(ValueError, match="expected five or more"):
        of.dci(NOISE[:4], np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
