import keras
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import tensorflow as tf

import keras_vae as kv
from tests import linear_gaussian

families = kv.families
OFFSET = np.array([170.0, -7e4, 0.0, 1e3, 3.0])
UNIT = np.array([10.0, 2e4, 0.5, 1e3, 1.0])


def linear(standardized, likelihood=None):
    """The linear-Gaussian model of y, or the model of x = offset + unit · y made of it, in float64."""
    keras.config.set_dtype_policy("float64")
    try:
        base = families.Normal(linear_gaussian.DATA, scale=linear_gaussian.SIGMA)
        family = families.Standardized(base, OFFSET, UNIT) if standardized else base
        vae = kv.VAE(
            kv.Encoder(kv.networks.MLP(), families.Normal(linear_gaussian.LATENT)),
            kv.Decoder(kv.networks.MLP(), family),
            seed=3,
        )
        exact = linear_gaussian.model(True)
        for conditional, known in ((vae.encoder, exact.encoder), (vae.decoder, exact.decoder)):
            conditional.head.set_weights(known.head.get_weights())
        return vae
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def pair():
    return linear(False), linear(True)


@pytest.fixture(scope="module")
def y():
    return linear_gaussian.data(20).astype(np.float64)


def test_densities_are_those_of_scipy_in_the_units_of_x(pair, y):
    plain, scaled = pair
    x = OFFSET + UNIT * y
    marginal = linear_gaussian.marginal()
    wanted = scipy.stats.multivariate_normal(OFFSET + UNIT * marginal.mean, UNIT[:, None] * marginal.cov * UNIT)
    # One sample is enough: at the exact posterior the weights do not depend on z. The weights are float32 numbers.
    found = scaled.log_weights(x, 1)[0]
    np.testing.assert_allclose(found, wanted.logpdf(x), atol=3e-6)
    np.testing.assert_allclose(found, plain.log_weights(y, 1)[0] - np.log(UNIT).sum(), rtol=1e-12)
    seeds = np.arange(len(y))
    np.testing.assert_allclose(
        scaled.score(x, seeds=seeds), plain.score(y, seeds=seeds) - np.log(UNIT).sum(), rtol=1e-12
    )


def test_results_are_in_the_units_of_x(pair, y):
    plain, scaled = pair
    x = OFFSET + UNIT * y
    for name in ("mean", "scale"):  # of z, which has no units
        np.testing.assert_allclose(scaled.encode(x)[name], plain.encode(y)[name], rtol=1e-10)
    np.testing.assert_allclose(scaled.reconstruct(x), OFFSET + UNIT * plain.reconstruct(y), rtol=1e-10)
    for draws in (False, True):
        wanted = OFFSET + UNIT * plain.sample(5, seed=3, draws=draws)
        np.testing.assert_allclose(scaled.sample(5, seed=3, draws=draws), wanted, rtol=1e-10)
    z = np.ones([2, linear_gaussian.LATENT])
    found, of_y = scaled.decode(z), plain.decode(z)
    assert set(found) == set(of_y) == {"mean", "loc", "scale"}
    np.testing.assert_allclose(found["loc"], OFFSET + UNIT * of_y["loc"], rtol=1e-10)
    np.testing.assert_allclose(found["mean"], found["loc"], rtol=1e-12)
    np.testing.assert_allclose(found["scale"], UNIT * np.broadcast_to(of_y["scale"], [2, 5]), rtol=1e-10)
    by_part = scaled.decoder.family.log_prob_by_part(scaled.likelihood(z), x[:2])
    wanted = scipy.stats.norm(found["loc"], found["scale"]).logpdf(x[:2])
    np.testing.assert_allclose(by_part, wanted, rtol=1e-9)


def _gaps(vae, x):
    found = kv.evaluation.inference_gaps(vae, x, num_samples=50, bound_samples=20, max_steps=100, verbose=False)
    densities = [found.log_likelihood.per_example, found.local_bounds, found.encoder_bounds]
    return densities, [found.approximation, found.amortization]


def _rates(vae, x):
    found = kv.evaluation.rate_distortion(vae, x, num_references=20, verbose=False)
    return [-found.distortion_per_example], [found.rate_per_example, found.information_per_example, found.nats]


def _annealed(vae, x):
    found = kv.evaluation.annealed_importance_sampling(vae, x, num_steps=5, num_chains=2, verbose=False)
    return [found.per_example], [found.acceptance_rates]


# Each returns figures in nats of x, as log p(x), and figures that do not depend on the units.
MEASURES = {
    "inference_gaps": _gaps,
    "rate_distortion": _rates,
    "annealed_importance_sampling": _annealed,
    "log_likelihood": lambda vae, x: ([kv.evaluation.log_likelihood(vae, x, num_samples=20).per_example], []),
    "prior_sampling": lambda vae, x: ([kv.evaluation.prior_sampling(vae, x, num_samples=50).per_example], []),
}


@pytest.mark.parametrize(
    "name", [name if name == "inference_gaps" else pytest.param(name, marks=pytest.mark.stress) for name in MEASURES]
)
def test_measures_of_x_are_those_of_y(pair, y, name):
    of_y, of_x = (MEASURES[name](vae, values) for vae, values in zip(pair, (y, OFFSET + UNIT * y), strict=True))
    for found, wanted in zip(of_x[0], of_y[0], strict=True):
        np.testing.assert_allclose(found, wanted - np.log(UNIT).sum(), rtol=1e-9)
    for found, wanted in zip(of_x[1], of_y[1], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


def test_the_baseline_of_nvil_receives_standardized_values():
    seen = []

    class Recording(keras.layers.Flatten):
        def call(self, inputs):
            seen.append(inputs)
            return super().call(inputs)

    x = np.array([[1e4, 2.0], [3e4, 5.0]], np.float32)
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP([4]), families.Bernoulli(2)),
        kv.Decoder(kv.networks.MLP([4]), families.Standardized(families.Normal(2, scale=1.0)).adapt(x)),
        prior=kv.priors.Uniform(families.Bernoulli(2)),
        objective=kv.objectives.ELBO(estimator=kv.estimators.NVIL(Recording())),
    )
    vae.objective(vae, tf.constant(x), seed=tf.constant([1, 2]), training=True)
    np.testing.assert_allclose(seen[-1], [[-1, -1], [1, 1]], rtol=1e-6)


class Laplace(families.Family):
    """A user's family, of which keras_vae knows nothing but that its data is real."""

    support = families.REAL
    parameters_per_element = 1

    def call(self, unconstrained):
        return {"center": unconstrained[..., 0]}

    def distribution(self, parameters):
        from tensorflow_probability import distributions as tfd

        return self.independent(tfd.Laplace(parameters["center"], tf.ones([], parameters["center"].dtype)))


REAL = {
    "predicted": lambda: families.Normal(3),
    "learned": lambda: families.Normal(3, scale="learned"),
    "learned_per_element": lambda: families.Normal(3, scale="learned_per_element"),
    "mixture": lambda: families.NormalMixture(3, components=2),
    "full": lambda: families.FullNormal(3),
    "iaf": lambda: families.InverseAutoregressiveFlow(3, flows=1, hidden=[4], context_size=2),
    "planar": lambda: families.PlanarFlow(3, flows=1),
    "own": lambda: Laplace(3),
}


@pytest.mark.parametrize("name", REAL)
def test_every_real_family_obeys_the_change_of_variables(name):
    base, offset, unit = REAL[name](), np.array([5.0, -2.0, 0.0]), np.array([10.0, 0.5, 3.0])
    family = families.Standardized(base, offset, unit)
    unconstrained = tf.random.stateless_normal([4, *base.parameters_shape], [1, 2])
    parameters = family(unconstrained)
    inner, outer = base.distribution(parameters), family.distribution(parameters)
    y = inner.sample(2, seed=[3, 4])
    x = offset + unit * y
    np.testing.assert_allclose(outer.sample(2, seed=[3, 4]), x, rtol=1e-5, atol=1e-5)
    assert outer.batch_shape == [4]
    assert outer.event_shape == [3]
    if name in ("iaf", "planar"):  # they know the density of their own samples alone
        x, found = outer.experimental_sample_and_log_prob(2, seed=[3, 4])
        _, wanted = inner.experimental_sample_and_log_prob(2, seed=[3, 4])
    else:
        found, wanted = outer.log_prob(x), inner.log_prob(y)
    np.testing.assert_allclose(found, wanted - np.log(unit).sum(), rtol=1e-4, atol=1e-4)
    reported = family.reported(parameters)
    if name in ("iaf", "planar", "own"):
        assert all(key.startswith("standardized_") for key in reported)
    else:  # they are those of a distribution of the same family, in the units of x
        np.testing.assert_allclose(base.distribution(reported).log_prob(x), found, rtol=1e-4, atol=1e-4)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(family), custom_objects={"Laplace": Laplace}
    )
    np.testing.assert_array_equal(copy.offset, offset)
    np.testing.assert_array_equal(copy.unit, unit)


def test_adapt_agrees_with_numpy_and_keras():
    x = np.random.default_rng(0).normal([1e6, 0.0, 5.0], [1e3, 1e-3, 1.0], [10_000, 3])
    wanted = x.mean(axis=0), x.std(axis=0)
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(999)
    pairs = tf.data.Dataset.zip(dataset, dataset)
    for given in (x, pd.DataFrame(x), tf.constant(x), dataset, pairs):
        family = families.Standardized(families.Normal(3, dtype="float64")).adapt(given)
        np.testing.assert_allclose(family.offset, wanted[0], rtol=1e-12)
        np.testing.assert_allclose(family.unit, wanted[1], rtol=1e-10)
    images = np.random.default_rng(0).normal(3.0, 2.0, [8, 4, 4, 2]).astype(np.float32)
    for axis in (-1, (0, 1), (0, 1, 2), None):
        family = families.Standardized(families.Normal((4, 4, 2)), axis=axis).adapt(images)
        of_batch = None if axis is None else [a + 1 if a >= 0 else a for a in np.atleast_1d(axis).tolist()]
        layer = keras.layers.Normalization(axis=of_batch)
        layer.adapt(images)
        np.testing.assert_allclose(family.encoder_input(images), layer(images), rtol=1e-4, atol=1e-5)
    assert families.Standardized(families.Normal((4, 4, 2))).adapt(images).offset.shape == (1, 1, 2)


def test_constant_columns_get_the_unit_1():
    x = np.stack([np.full(1000, 0.1), np.arange(1000.0), np.zeros(1000)], axis=1)
    family = families.Standardized(families.Normal(3, dtype="float64")).adapt(x)
    np.testing.assert_array_equal(family.offset, [0.1, 499.5, 0.0])
    np.testing.assert_allclose(family.unit, [1.0, np.std(np.arange(1000)), 1.0])


@pytest.fixture(scope="module")
def grouped():
    """A model with groups of latents and a condition, its x and its labels."""
    rng = np.random.default_rng(0)
    x = rng.normal([1e4, -5.0], [3e3, 1e-3], [64, 2]).astype(np.float32)
    labels = np.arange(64) % 3
    likelihood = families.Standardized(families.Normal(2, scale="learned_per_element")).adapt(x)
    vae = kv.VAE(
        kv.ChainEncoder(
            {
                "z1": kv.Encoder(kv.networks.MLP([8]), families.Normal(2)),
                "z2": kv.Encoder(kv.networks.MLP([8]), families.Normal(1)),
            }
        ),
        kv.Decoder(kv.networks.MLP([8]), likelihood),
        prior=kv.priors.Chain(
            {"z2": kv.priors.StandardNormal(1), "z1": kv.Decoder(kv.networks.MLP([8]), families.Normal(2))}
        ),
        condition=kv.conditions.Label(3),
        seed=0,
    )
    return vae, x, labels


def test_it_is_trained_and_saved_with_groups_and_a_condition(grouped, tmp_path):
    vae, x, labels = grouped
    likelihood = vae.decoder.family
    vae.compile("adam")
    before = [part.numpy() for part in (likelihood.offset, likelihood.unit)]
    history = vae.fit(x, labels, epochs=3, verbose=0).history
    assert history["kl"][-1] < 20  # nothing is near a clip
    for part, value in zip((likelihood.offset, likelihood.unit), before, strict=True):
        np.testing.assert_array_equal(part, value)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.decoder.family.adapted
    for model in (loaded, keras.models.clone_model(vae)):
        np.testing.assert_array_equal(model.decoder.family.unit, likelihood.unit)
    np.testing.assert_array_equal(loaded.predict((x, labels), verbose=0), vae.predict((x, labels), verbose=0))


@pytest.mark.stress  # the conformance suite exports a likelihood of images
def test_it_is_exported_with_groups_and_a_condition(grouped, tmp_path):
    vae, x, _ = grouped
    served = tf.saved_model.load(vae.export(tmp_path / "1")).signatures
    z = {"z/z1": tf.ones([2, 2]), "z/z2": tf.ones([2, 1]), "condition": tf.constant([0, 1], tf.int64)}
    wanted = vae.decode({"z1": z["z/z1"], "z2": z["z/z2"]}, condition=[0, 1])
    found = served["decode"](**z)
    for name in ("mean", "loc", "scale"):
        np.testing.assert_allclose(found[name], tf.broadcast_to(wanted[name], [2, 2]), rtol=1e-5)
    assert abs(found["mean"].numpy()[:, 0] - 1e4).max() < 3e4
    scored = served["score"](x=x[:2], seed=tf.constant([1, 2], tf.int64), condition=z["condition"])
    np.testing.assert_allclose(
        scored["log_likelihood_bound"], vae.score(x[:2], seeds=[1, 2], condition=[0, 1]), rtol=1e-4
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: families.Standardized(3), TypeError, "expected a keras_vae.families.Family, received 3"),
        (lambda: families.Standardized(families.Bernoulli(3)), ValueError, "over real numbers, such as Normal, .*Bern"),
        (lambda: families.Standardized(families.Normal(3), axis=1), ValueError, "from -1 to 0, or None, received 1"),
        (lambda: families.Standardized(families.Normal(3), 1.0), ValueError, "unit: expected numbers of shape .3,."),
        (lambda: families.Standardized(families.Normal(3), [1.0, 2.0], 1.0), ValueError, "offset: expected numbers"),
        (lambda: families.Standardized(families.Normal(3), 0.0, [1.0, 0.0, 1.0]), ValueError, "positive units"),
        (lambda: adapting([[1.0, np.nan, np.inf]]), ValueError, "received 2 NaN or infinite values"),
        (lambda: adapting(np.ones([2, 4])), ValueError, "shape .'n', 3., received .2, 4."),
        (lambda: adapting(np.ones([0, 3])), ValueError, "at least one row, received none"),
        (lambda: adapting([["a", "b", "c"]]), TypeError, "DataFrame of numbers, or a tf.data.Dataset, received a list"),
        (
            lambda: adapting(tf.data.Dataset.from_tensors([[1.0] * 3]).repeat()),
            ValueError,
            "finite dataset, .* endless",
        ),
        (
            lambda: kv.models.vae((3,), likelihood=families.Standardized(families.Normal(3))),
            ValueError,
            "expected adapt.x. before a model is built, received no data",
        ),
    ],
)
def test_errors_are_one_line(call, error, message):
    with pytest.raises(error, match=f"^Standardized.*{message}.*\\. (Use|Pass|Remove).*$") as caught:
        call()
    assert "\n" not in str(caught.value)


def adapting(x):
    return families.Standardized(families.Normal(3)).adapt(x)


def test_a_spread_that_float32_cannot_hold_is_said():
    times = np.array([[1.7e9], [1.7e9 + 60.0]])
    with pytest.warns(UserWarning, match="float32 cannot tell values near 1.7e.09 apart that differ by 30"):
        families.Standardized(families.Normal(1)).adapt(times)


def test_pseudo_inputs_of_a_ready_made_model_start_in_the_encoders_units():
    x = np.random.default_rng(0).normal(1e6, 1e3, [50, 2])
    likelihood = families.Standardized(families.Normal(2, scale="learned")).adapt(x)
    vae = kv.models.make("vamp", (2,), latent_size=1, hidden=[4], likelihood=likelihood, examples=x)
    np.testing.assert_allclose(vae.prior.pseudo_inputs(), likelihood.encoder_input(x), atol=1e-3)
