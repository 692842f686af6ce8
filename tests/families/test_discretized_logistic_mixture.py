import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from logistic_mixtures import (
    COEFFICIENTS,
    COLORS,
    GRAYS,
    LEVELS,
    color_masses,
    exact_log_mass,
    exact_moments,
    gray,
    masses,
    moments,
    rgb,
)

from keras_vae.families.discretized_logistic_mixture import DiscretizedLogisticMixture


@pytest.mark.parametrize("case", GRAYS)
def test_gray_masses_against_scipy(case):
    family, p = gray(*GRAYS[case])
    found = family.distribution(p).log_prob(LEVELS[:, None, None, None, None])[:, 0]
    wanted = scipy.special.softmax([0.3, -0.5]) @ masses(*GRAYS[case])
    assert np.sum(np.exp(found, dtype=np.float64)) == pytest.approx(1, abs=2e-6)
    np.testing.assert_allclose(np.exp(found, dtype=np.float64), wanted, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("loc", [-1e4, -1.0, 0.1, 1.0, 40.0])
@pytest.mark.parametrize("log_scale", [-1e6, -5.0, 0.0, 40.0])
@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_extreme_log_masses_against_60_digits(loc, log_scale, level):
    family, p = gray([loc, loc], [log_scale, log_scale])
    found = float(family.distribution(p).log_prob(LEVELS[level].reshape(1, 1, 1, 1))[0])
    wanted = exact_log_mass(level, p["loc"][0, 0, 0, 0, 0], p["scale"][0, 0, 0, 0, 0])
    # Float32 places 255 loc to within 2e-5 of a level, 2e-4 of the narrowest scale.
    assert found == pytest.approx(wanted, rel=1e-5, abs=2e-4)


@pytest.mark.parametrize("case", COLORS)
def test_color_masses_against_scipy(case):
    family, p = rgb(*COLORS[case], COEFFICIENTS)
    colors = np.random.default_rng(0).integers(256, size=[300, 3])
    colors[:40] = np.random.default_rng(1).choice([0, 1, 254, 255], size=[40, 3])
    wanted = np.zeros(300)
    for component, weight in enumerate(scipy.special.softmax([0.3, -0.5])):
        red, green, blue_loc, blue_scale = color_masses(*COLORS[case], COEFFICIENTS, component)
        r, g, b = colors.T
        blue = masses(blue_loc(r, g), blue_scale)[np.arange(300), b]
        wanted += weight * red[r] * green[r, g] * blue
    found = family.distribution(p).log_prob(LEVELS[colors][:, None, None, None, :])[:, 0]
    likely = wanted > 1e-12  # scipy's differences of cdfs have 16 digits
    assert likely.sum() > 100
    np.testing.assert_allclose(found[likely], np.log(wanted[likely]), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("corner", [0, 1])
def test_total_probability_of_colors_is_one(corner):
    # Narrow enough that all but 1e-6 lies within 48 levels of the black or the white corner, tails included.
    sign = 2 * corner - 1
    coefficients = [[0.5, 0.3], [-0.4, 0.1], [0.2, -0.1]]
    shifts = np.tanh(coefficients) * sign  # at the corner, where the channels before are ±1
    loc = sign * 0.95 - np.array([[0.0, 0.0], shifts[0], shifts[1] + shifts[2]])
    family, p = rgb(loc, [[-5.0, -5.5]] * 3, coefficients)
    window = np.arange(48) if corner == 0 else np.arange(208, 256)
    colors = LEVELS[np.stack(np.meshgrid(window, window, window), -1).reshape(-1, 1, 1, 1, 3)]
    total = np.sum(np.exp(family.distribution(p).log_prob(colors), dtype=np.float64))
    assert total == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("case", COLORS)
def test_color_mean_and_scale_by_enumeration(case):
    family, p = rgb(*COLORS[case], COEFFICIENTS)
    found = moments(family, p)
    for part, wanted in zip(found, exact_moments(*COLORS[case], COEFFICIENTS), strict=True):
        np.testing.assert_allclose(part[0, 0, 0], wanted, atol=1 / 255)  # the lattice's error, as documented


@pytest.mark.parametrize("case", GRAYS)
def test_gray_mean_and_scale_by_enumeration(case):
    family, p = gray(*GRAYS[case])
    probabilities = scipy.special.softmax([0.3, -0.5]) @ masses(*GRAYS[case])
    mean = probabilities @ np.arange(256) / 255
    scale = np.sqrt(probabilities @ (np.arange(256) / 255 - mean) ** 2)
    found_mean, found_scale = moments(family, p)
    np.testing.assert_allclose(found_mean[0, 0, 0], [mean], atol=2e-6)
    np.testing.assert_allclose(found_scale[0, 0, 0], [scale], rtol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_mean_and_scale_at_extreme_values(channels):
    family = DiscretizedLogisticMixture((1, 1, channels))
    rng = np.random.default_rng(0)
    values = rng.choice([-1e6, -40.0, 0.0, 40.0, 1e6], size=[50, *family.parameters_shape])
    mean, scale = moments(family, family(tf.constant(values, tf.float32)))
    assert np.all((mean >= 0) & (mean <= 1))
    assert np.all((scale >= 0) & (scale <= 0.5001))  # ½: half black, half white


@pytest.mark.parametrize("channels", [1, 3])
def test_gradient_against_finite_differences_in_double_precision(channels):
    keras.config.set_dtype_policy("float64")
    family = DiscretizedLogisticMixture((2, 2, channels), components=3)
    rng = np.random.default_rng(0)
    values = rng.normal(size=[1, *family.parameters_shape])
    x = tf.constant(rng.choice([0, 1, 100, 200, 255], size=[1, 2, 2, channels]) / 255)

    def log_prob(values):
        return family.distribution(family(tf.convert_to_tensor(values))).log_prob(x)

    variable = tf.Variable(values)
    with tf.GradientTape() as tape:
        loss = log_prob(variable)
    found = tape.gradient(loss, variable).numpy().ravel()
    for i in range(values.size):
        step = 1e-6 * np.eye(1, values.size, i).reshape(values.shape)
        wanted = float(log_prob(values + step)[0] - log_prob(values - step)[0]) / 2e-6
        assert found[i] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [40.0, 1e6])
def test_gradient_is_finite_at_extreme_values(channels, size):
    family = DiscretizedLogisticMixture((4, 4, channels))
    rng = np.random.default_rng(0)
    variable = tf.Variable(size * rng.choice([-1, 1], size=[8, *family.parameters_shape]).astype(np.float32))
    x = LEVELS[rng.choice([0, 1, 128, 255], size=[8, 4, 4, channels])]
    with tf.GradientTape() as tape:
        log_prob = family.distribution(family(variable)).log_prob(x)
    assert np.all(np.isfinite(log_prob))
    assert np.all(np.isfinite(tape.gradient(log_prob, variable)))


@pytest.mark.parametrize("case", GRAYS)
def test_gray_samples_against_the_masses(case):
    family, p = gray(*GRAYS[case])
    draws = family.distribution(p).sample(5000, seed=tf.constant([1, 2])).numpy().ravel()
    assert np.all(np.isin(draws, LEVELS))
    counts = np.bincount(np.round(255 * draws).astype(int), minlength=256)
    check_counts(counts, scipy.special.softmax([0.3, -0.5]) @ masses(*GRAYS[case]))


def check_counts(counts, probabilities):
    """Chi-squared at level 0.001 for a fixed seed; cells that expect fewer than ten are pooled."""
    expected = counts.sum() * probabilities
    rare = expected < 10
    pooled = [np.append(values[~rare], values[rare].sum()) for values in (counts, expected)]
    if pooled[1][-1] < 5:
        pooled = [np.append(values[:-2], values[-2:].sum()) for values in pooled]
    assert scipy.stats.chisquare(*pooled).pvalue > 0.001


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("case", COLORS)
def test_color_samples_against_the_masses(case, jit_compile):
    family, p = rgb(*COLORS[case], COEFFICIENTS)
    sample = tf.function(lambda: family.distribution(p).sample(5000, seed=tf.constant([3, 4])), jit_compile=jit_compile)
    levels = np.round(255 * sample().numpy().reshape(5000, 3)).astype(int)
    # Five cells a channel; the first and the last are the edges themselves.
    bounds = np.array([0, 1, 80, 170, 255, 256])
    probabilities = np.zeros([5, 5, 5])
    for component, weight in enumerate(scipy.special.softmax([0.3, -0.5])):
        red, green, blue_loc, blue_scale = color_masses(*COLORS[case], COEFFICIENTS, component)
        for r in range(256):
            blue = np.add.reduceat(masses(blue_loc(r, np.arange(256)), blue_scale), bounds[:-1], axis=1)
            cells = np.add.reduceat((red[r] * green[r])[:, None] * blue, bounds[:-1], axis=0)
            probabilities[np.searchsorted(bounds, r, "right") - 1] += weight * cells
    counts, _ = np.histogramdd(levels, [bounds] * 3)
    check_counts(counts.ravel(), probabilities.ravel())


def test_pixels_are_independent_and_channels_share_the_component():
    family = DiscretizedLogisticMixture((1, 2, 3), components=2)
    # Two narrow components, black and white, equally likely.
    pixel = [0.0, 0.0, *[-1.0, 1.0] * 3, *[-6.0] * 6, *[0.0] * 6]
    p = family.distribution(family(tf.constant([[[pixel, pixel]]], tf.float32)))
    draws = p.sample(400, seed=tf.constant([1, 2])).numpy()[:, 0, 0] > 0.5
    assert np.all(draws == draws[..., :1])
    # Four equally likely pairs: chi-squared at level 0.001, seed fixed.
    counts = np.bincount(2 * draws[:, 0, 0] + draws[:, 1, 0], minlength=4)
    assert scipy.stats.chisquare(counts).pvalue > 0.001
    gray_between = np.zeros([1, 1, 2, 3], np.float32)
    gray_between[..., 0] = 1
    assert float(p.log_prob(gray_between)[0]) < -500


def test_levels_are_found_despite_rounding_and_values_between_are_impossible():
    family, p = gray(*GRAYS["broad"])
    exact, rounded = (
        family.distribution(p).log_prob(x[:, None, None, None, None]) for x in (LEVELS, np.nextafter(LEVELS, LEVELS[0]))
    )
    np.testing.assert_array_equal(exact, rounded)
    for value in (0.5, -1 / 255, 256 / 255, float("nan")):
        assert float(family.distribution(p).log_prob(tf.fill([1, 1, 1, 1], value))[0]) == -np.inf


@pytest.mark.parametrize("channels", [1, 3])
def test_leading_axes_and_compilation(channels):
    family = DiscretizedLogisticMixture((2, 3, channels), components=2)
    rng = np.random.default_rng(0)
    p = family(tf.constant(rng.normal(size=[4, 5, *family.parameters_shape]), tf.float32))
    x = LEVELS[rng.integers(256, size=[5, 2, 3, channels])]

    def scores_and_draws(p):
        distribution = family.distribution(p)
        return distribution.log_prob(x), distribution.sample(3, seed=tf.constant([1, 2])), family.mean(p)

    wanted = scores_and_draws(p)  # eagerly
    assert [part.shape for part in wanted] == [(4, 5), (3, 4, 5, 2, 3, channels), (4, 5, 2, 3, channels)]
    assert family.distribution(p).batch_shape == (4, 5)
    for compiled in (tf.function(scores_and_draws), tf.function(scores_and_draws, jit_compile=True)):
        scores, draws, mean = compiled(p)
        np.testing.assert_allclose(scores, wanted[0], rtol=1e-5)
        assert np.all(family.support.contains(draws))
        np.testing.assert_allclose(mean, wanted[2], atol=2e-4)  # a value may round to the next level, of 1/256 weight
    draws = tf.map_fn(
        lambda row: family.distribution(row).sample(seed=tf.constant([1, 2])), p, fn_output_signature=tf.float32
    )
    assert draws.shape == (4, 5, 2, 3, channels)


def test_unknown_batch_size():
    family = DiscretizedLogisticMixture((2, 2, 3))

    @tf.function(input_signature=[tf.TensorSpec([None, *family.parameters_shape])])
    def draw(values):
        p = family.distribution(family(values))
        return p.log_prob(p.sample(seed=tf.constant([1, 2])))

    assert draw(tf.zeros([3, *family.parameters_shape])).shape == (3,)


@pytest.mark.parametrize(("channels", "values"), [(1, 21), (3, 70)])
def test_config_round_trip(channels, values):
    family = DiscretizedLogisticMixture((4, 5, channels), components=7)
    again = DiscretizedLogisticMixture.from_config(family.get_config())
    assert again.parameters_shape == family.parameters_shape == (4, 5, values)


@pytest.mark.parametrize("shape", [12, (8, 8), (8, 8, 2), (8, 8, 4), (2, 8, 8, 1)])
def test_other_events_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected event_shape \(height, width, 1\).*received.*GrayLevels"):
        DiscretizedLogisticMixture(shape)


@pytest.mark.parametrize("components", [0, -1, 2.5, "5", True])
def test_bad_components_are_refused(components):
    with pytest.raises(ValueError, match="components: expected a positive integer, received"):
        DiscretizedLogisticMixture((8, 8, 1), components=components)
