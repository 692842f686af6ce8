"""Under the policy float64 every part computes in float64: values against NumPy and SciPy, to ten digits and more.

Each part is traced, because a float32 constant stops a graph that eager execution lets pass.
"""

import inspect

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import keras_vae as kv
from keras_vae.families.beta import MAX_VALUE
from keras_vae.families.continuous_bernoulli import MAX_LOGIT
from keras_vae.schedules.base import as_schedule

families, priors = kv.families, kv.priors
D, K = 3, 2
CATEGORIES = (2, 3)
DIGITS = 1e-11
norm = scipy.stats.norm


@pytest.fixture(autouse=True)
def float64():
    """Restored by the fixture of conftest.py, as in other tests."""
    keras.config.set_dtype_policy("float64")


def bound(v, limit):
    return limit * np.tanh(v / limit)


def log_softmax(v):
    return scipy.special.log_softmax(v, axis=-1)


def made(network, x, context=None):
    """The outputs of a MADE, `[sites, outputs]`, from its weights and masks."""
    features = x
    for number, mask in enumerate(network._masks):
        into = features
        features = into @ (np.asarray(network.kernels[number]) * mask) + np.asarray(network.biases[number])
        if number == len(network._masks) - 1:
            break
        if number == 0 and context is not None:
            features = features + context @ np.asarray(network.context_in)
        features = np.where(features > 0, features, np.expm1(features))
    features = features + x @ (np.asarray(network.direct) * network._direct_mask)
    if context is not None:
        features = features + context @ np.asarray(network.context_out)
    return features.reshape(network.sites, network.outputs_per_site)


def normal(v, z, family):
    if family.scale_spec == "predicted":
        return norm.logpdf(z, v[..., 0], np.exp(0.5 * v[..., 1])).sum()
    scale = family.scale_spec if isinstance(family.scale_spec, float) else np.exp(np.asarray(family.log_scale))
    return norm.logpdf(z, v[..., 0], scale).sum()


def standardized(v, z, family):
    offset, unit = np.asarray(family.offset), np.asarray(family.unit)
    return normal(v, (z - offset) / unit, family.family) - np.log(unit).sum()


def full_normal(v, z, family):
    lower = np.zeros([D, D])
    # The order of tfp.math.fill_triangular, for 3 × 3.
    lower[np.tril_indices(D)] = v[D:][[3, 5, 4, 2, 1, 0]]
    scale = np.tril(100 * np.tanh(lower / (D * 100)), -1) + np.eye(D)
    scale = np.exp(np.diag(lower))[:, None] * scale
    return scipy.stats.multivariate_normal.logpdf(z, v[:D], scale @ scale.T)


def normal_mixture(v, z, family):
    loc, log_variance = v[K:].reshape(2, K, D)
    each = norm.logpdf(z, loc, np.exp(0.5 * log_variance)).sum(-1)
    return scipy.special.logsumexp(log_softmax(v[:K]) + each)


def planar(v, epsilon, family):
    """Push ε forward; return z and log q(z)."""
    u, w, b = np.split(v[2 * D :], [K * D, 2 * K * D])
    scale = np.exp(0.5 * v[D : 2 * D])
    z, log_q = v[:D] + scale * epsilon, norm.logpdf(epsilon).sum() - np.log(scale).sum()
    for u_k, w_k, b_k in zip(u.reshape(K, D), w.reshape(K, D), b, strict=True):
        x = w_k @ u_k
        lowered = np.log1p(-np.expm1(-0.99) * np.expm1(x))
        u_hat = u_k + (lowered - x) * w_k / (w_k @ w_k)
        t = np.tanh(w_k @ z + b_k)
        z, log_q = z + u_hat * t, log_q - np.log1p(w_k @ u_hat * (1 - t**2))
    return z, log_q


def iaf(v, epsilon, family):
    scale = np.exp(0.5 * v[D : 2 * D])
    z, log_q = v[:D] + scale * epsilon, norm.logpdf(epsilon).sum() - np.log(scale).sum()
    for number, network in enumerate(family.networks):
        z = z[::-1] if number else z
        m, s = made(network, z, bound(v[2 * D :], 10.0)).T
        gate = scipy.special.expit(bound(s, 5.0) + 2.0)
        z, log_q = gate * z + (1 - gate) * m, log_q - np.log(gate).sum()
    return z, log_q


def continuous_bernoulli(v, x, family):
    """η x − log ∫₀¹ exp(η t) dt, in extended precision."""
    eta = bound(v[:, 0], MAX_LOGIT).astype(np.longdouble)
    return float(np.sum(eta * x - np.log(np.expm1(eta) / eta)))


def beta(v, x, family):
    logit, log_half = bound(v, MAX_VALUE).T
    mean, concentration = scipy.special.expit(logit), 2 * np.exp(log_half)
    return scipy.stats.beta.logpdf(x, mean * concentration, (1 - mean) * concentration).sum()


def bernoulli(v, z, family):
    return np.sum(z * v[:, 0] - np.logaddexp(0, v[:, 0]))


def one_hot(v, z, family):
    return np.sum(z * log_softmax(v))


def piecewise(v, z, family):
    logs = log_softmax(bound(v, 10.0)) + np.log(v.shape[-1])
    return logs[np.arange(len(v)), (z * v.shape[-1]).astype(int)].sum()


def gray_levels(v, x, family):
    return log_softmax(v)[np.arange(len(v)), np.rint(255 * x).astype(int)].sum()


def logistics(v, x, family):
    """Of one pixel, in gray levels: differences of logistic distribution functions."""
    channels = family.event_shape[2]
    logits, values = np.split(v[0, 0], [K])
    values = values.reshape(-1, channels, K)
    loc, scale = 127.5 + 127.5 * values[0], 127.5 * np.exp(bound(values[1], 7.0))
    x = 255 * x[0, 0]
    if channels == 3:
        a, b, c = np.tanh(values[2])
        red, green = x[0] - 127.5, x[1] - 127.5
        loc = loc + np.stack([0 * a, a * red, b * red + c * green])
    upper = np.where(x[:, None] == 255, 1.0, scipy.special.expit((x[:, None] + 0.5 - loc) / scale))
    lower = np.where(x[:, None] == 0, 0.0, scipy.special.expit((x[:, None] - 0.5 - loc) / scale))
    return scipy.special.logsumexp(log_softmax(logits) + np.log(upper - lower).sum(0))


# What each family is, and log p of one event from its unconstrained values; flows map ε forward instead.
FAMILIES = {
    "normal": (lambda: families.Normal(D), normal),
    "normal_fixed": (lambda: families.Normal(D, scale=0.3), normal),
    "normal_learned": (lambda: families.Normal(D, scale="learned"), normal),
    "standardized": (
        lambda: families.Standardized(families.Normal(D, scale="learned"), [170.0, 7e4, -3.0], [10.0, 9e3, 2.0]),
        standardized,
    ),
    "full_normal": (lambda: families.FullNormal(D), full_normal),
    "normal_mixture": (lambda: families.NormalMixture(D, components=K), normal_mixture),
    "iaf": (lambda: families.InverseAutoregressiveFlow(D, flows=2, hidden=[4], context_size=2), iaf),
    "planar": (lambda: families.PlanarFlow(D, flows=K), planar),
    "piecewise": (lambda: families.PiecewiseConstant(D, pieces=3), piecewise),
    "one_hot": (lambda: families.OneHotCategorical(CATEGORIES), one_hot),
    "gumbel": (lambda: families.GumbelSoftmax(CATEGORIES, temperature=0.7), one_hot),
    "bernoulli": (lambda: families.Bernoulli(D), bernoulli),
    "relaxed_bernoulli": (lambda: families.RelaxedBernoulli(D, temperature=0.7), bernoulli),
    "continuous_bernoulli": (lambda: families.ContinuousBernoulli(D), continuous_bernoulli),
    "beta": (lambda: families.Beta(D), beta),
    "gray_levels": (lambda: families.GrayLevels(D), gray_levels),
    "logistics": (lambda: families.DiscretizedLogisticMixture((1, 1, 1), components=K), logistics),
    "logistics_rgb": (lambda: families.DiscretizedLogisticMixture((1, 1, 3), components=K), logistics),
}


def randomize(layer):
    rng = np.random.default_rng(3)
    for variable in layer.weights:
        variable.assign(np.asarray(variable) + 0.3 * rng.normal(size=variable.shape))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_exact_to_eleven_digits(name):
    make, reference = FAMILIES[name]
    family = make()
    randomize(family)
    v = 0.7 * np.random.default_rng(len(name)).normal(size=family.parameters_shape)

    @tf.function
    def ask(v, z):
        parameters = family(v)
        q = family.distribution(parameters)
        found = {"sample": q.sample(5, seed=[1, 2]), "mean": family.mean(parameters), "scale": family.scale(parameters)}
        found |= {"point": family.point(parameters), "log_prob": q.log_prob(z)}
        if family.relaxed:
            found["relaxed"] = family.relaxed_sample(parameters, 2, tf.constant([3, 4]), tf.constant(0))
        return found

    if name in ("iaf", "planar"):
        z, wanted = reference(v, np.random.default_rng(1).normal(size=D), family)
    else:
        z = family.distribution(family(tf.constant(v))).sample(seed=[5, 6]).numpy()
        wanted = reference(v, z, family)
    found = ask(tf.constant(v), tf.constant(z))
    assert {value.dtype for value in found.values()} == {tf.float64}
    assert z.dtype == np.float64
    assert float(found["log_prob"]) == pytest.approx(wanted, rel=DIGITS, abs=DIGITS)
    for drawn in ("sample", "relaxed"):
        if drawn in found and not family.support.discrete:
            value = found[drawn].numpy()
            assert np.any(value != value.astype(np.float32)), "noise of 24 bits"


def conditionals(prior, z):
    """Return the unconstrained values of each site."""
    return made(prior.network, z).reshape(prior.family.parameters_shape)


def by_jacobian(prior, z):
    """log N(f⁻¹(z)) + log |det|, the determinant of the derivative in float64."""
    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        base = prior.distribution().bijector.inverse(z + 0.0)
    return norm.logpdf(base).sum() + np.linalg.slogdet(tape.jacobian(base, z))[1]


def learned(reference):
    return lambda prior, z: reference(np.asarray(prior.values), z, prior.family)


PRIORS = {
    "standard_normal": (lambda: priors.StandardNormal(D), lambda prior, z: norm.logpdf(z).sum()),
    "uniform": (lambda: priors.Uniform(families.OneHotCategorical(CATEGORIES)), lambda prior, z: -2 * np.log(3)),
    "learned": (lambda: priors.Learned(families.Normal(D)), learned(normal)),
    "mixture": (lambda: priors.Learned(families.NormalMixture(D, components=K)), learned(normal_mixture)),
    "real_nvp": (lambda: priors.RealNVP(D, flows=2, hidden=[4]), by_jacobian),
    "maf": (lambda: priors.MaskedAutoregressiveFlow(D, flows=2, hidden=[4]), by_jacobian),
    "autoregressive": (
        lambda: priors.Autoregressive(families.Normal(D), hidden=[4]),
        lambda prior, z: normal(conditionals(prior, z), z, prior.family),
    ),
}


@pytest.mark.parametrize("name", PRIORS)
def test_a_prior_is_exact_to_eleven_digits(name):
    make, reference = PRIORS[name]
    prior = make()
    randomize(prior)
    ask = tf.function(lambda z: (prior.distribution().sample(5, seed=[1, 2]), prior.distribution().log_prob(z)))
    z = prior.distribution().sample(seed=[5, 6]).numpy()
    sample, log_prob = ask(tf.constant(z))
    assert (sample.dtype, log_prob.dtype) == (tf.float64, tf.float64)
    assert float(log_prob) == pytest.approx(reference(prior, z), rel=DIGITS, abs=DIGITS)
    if not prior.support.discrete:
        assert np.any(sample.numpy() != sample.numpy().astype(np.float32))


def conditional_model():
    """A model of vectors whose posterior, prior and likelihood are given y, in the policy of the moment."""
    keras.utils.set_random_seed(2)
    return kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP([4]), families.Normal(D)),
        decoder=kv.Decoder(kv.networks.MLP([4]), families.Normal(5, scale=0.3)),
        prior=kv.ConditionalPrior(kv.networks.MLP([4]), families.Normal(D)),
        condition=kv.conditions.Vector(2),
        objective=kv.objectives.ELBO(beta=0.1, free_bits=0.0),
        seed=1,
    )


def test_a_conditional_model_keeps_the_digits_of_x_y_and_beta():
    vae = conditional_model()
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=[6, 5]), rng.normal(size=[6, 2])
    terms = vae.objective(vae, tf.constant(x), seed=tf.constant([1, 2]), condition=tf.constant(y))
    np.testing.assert_allclose(terms["loss"], 0.1 * terms["kl"] - terms["reconstruction"], rtol=1e-15)

    # Networks, heads and densities again, in NumPy.
    def network(layer, inputs):
        hidden, head = ([np.asarray(weight) for weight in part.weights] for part in (layer.network, layer.head))
        values = np.maximum(inputs @ hidden[0] + hidden[1], 0) @ head[0] + head[1]
        return values.reshape(len(inputs), *layer.family.parameters_shape)

    posterior, prior = network(vae.encoder, np.concatenate([x, y], 1)), network(vae.prior.layer, y)
    encoded = vae.encode(x, condition=y)
    np.testing.assert_allclose(encoded["mean"], posterior[..., 0], rtol=1e-11)
    ratio = np.exp(posterior[..., 1] - prior[..., 1])
    distance = (posterior[..., 0] - prior[..., 0]) ** 2 / np.exp(prior[..., 1])
    np.testing.assert_allclose(terms["kl"], 0.5 * np.sum(ratio + distance - 1 - np.log(ratio), 1), rtol=1e-11)
    z = vae.infer(x, condition=y).sample(1, tf.constant([1, 2]))[0].numpy()
    loc = network(vae.decoder, np.concatenate([z, y], 1))[..., 0]
    np.testing.assert_allclose(terms["reconstruction"], norm.logpdf(x, loc, 0.3).sum(1), rtol=1e-11)

    # A model in float64 stays one where the policy is another, as after loading it.
    keras.config.set_dtype_policy("float32")
    for again in (vae, kv.VAE.from_config(vae.get_config())):
        again((x, y))
        again.set_weights(vae.get_weights())
        for name, value in again.encode(x, condition=y).items():
            np.testing.assert_array_equal(value, encoded[name])
        generated = again.generate(np.arange(6), condition=y)
        np.testing.assert_allclose(
            generated["mean"], network(vae.decoder, np.concatenate([generated["z"], y], 1))[..., 0], rtol=1e-11
        )
        one = again.sample(6, seed=0, condition=y[0])
        assert np.any(one.numpy() != again.sample(6, seed=0, condition=y[0].astype(np.float32)).numpy())


def test_a_number_in_place_of_a_schedule_keeps_its_digits():
    assert float(as_schedule(0.1, "beta")(tf.constant(0))) == 0.1


def test_every_family_and_prior_has_a_reference():
    """Of priors made of other parts, one is above, and all are in the float64 row of tests/test_conformance.py."""
    made_of_others = {priors.Chain, priors.VampPrior, kv.ConditionalPrior}
    for package, base, table in ((families, families.Family, FAMILIES), (priors, priors.Prior, PRIORS)):
        public = [getattr(package, name) for name in package.__all__]
        parts = {part for part in public if inspect.isclass(part) and issubclass(part, base) and part is not base}
        assert parts - made_of_others <= {type(make()) for make, _ in table.values()}
