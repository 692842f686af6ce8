import itertools

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae as kv
from keras_vae.objectives import ELBO, IWAE
from tests import linear_gaussian
from tests.estimators import toy

ROWS = 60_000
VALUES, WEIGHTS = np.array([[0.3, -1.2]]), np.array([0.9])


def standard_normal(z):
    return scipy.stats.norm.logpdf(z[:, 0])


def two_humps(z):
    return np.logaddexp(scipy.stats.norm(-1, 0.7).logpdf(z[:, 0]), scipy.stats.norm(1, 0.7).logpdf(z[:, 0])) - np.log(2)


NORMAL = tfd.Independent(tfd.Normal([0.0], [1.0]), 1)
# One for which there is no closed-form KL.
HUMPS = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), tfd.MultivariateNormalDiag([[-1.0], [1.0]], [0.7]))


def check(found, wanted):
    for column, truth in zip(np.concatenate(found, axis=1).T, wanted, strict=True):
        # Five standard errors of the mean; seeds are fixed.
        assert abs(column.mean() - truth) < 5 * column.std() / np.sqrt(len(column)) + 2e-4, (column.mean(), truth)


@pytest.mark.parametrize(
    ("prior", "log_prior"), [(NORMAL, standard_normal), (HUMPS, two_humps)], ids=["normal", "humps"]
)
@pytest.mark.parametrize(
    ("objective", "k", "importance", "beta"),
    [
        (ELBO(), 1, False, 1.0),
        (ELBO(2, beta=0.6), 2, False, 0.6),
        (ELBO(estimator="sticking_the_landing"), 1, False, 1.0),
        (ELBO(2, beta=0.6, estimator="sticking_the_landing"), 2, False, 0.6),
        (ELBO(2, beta=0.6, estimator="leave_one_out"), 2, False, 0.6),
        (ELBO(3, estimator="nvil"), 3, False, 1.0),
        (IWAE(2), 2, True, 1.0),
        (IWAE(2, estimator="doubly_reparameterized"), 2, True, 1.0),
        (IWAE(2, estimator="leave_one_out"), 2, True, 1.0),
    ],
    ids=["elbo", "elbo-2-beta", "stl", "stl-2-beta", "loo-beta", "nvil", "iwae", "dreg", "vimco"],
)
def test_gradient_of_a_normal_posterior_against_quadrature(objective, k, importance, beta, prior, log_prior):
    found, terms = toy.gradients(objective, kv.families.Normal(1), prior, VALUES, WEIGHTS, ROWS)

    def exact(v, w):
        return toy.normal_bound(v, w, log_prior, k, importance, beta)

    check(found, toy.finite_differences(exact, VALUES, WEIGHTS))
    value = -terms["loss"].numpy()
    assert value.mean() == pytest.approx(exact(VALUES, WEIGHTS), abs=5 * value.std() / np.sqrt(ROWS))


@pytest.mark.parametrize(
    ("objective", "k", "importance"),
    [
        (ELBO(estimator="nvil"), 1, False),
        (ELBO(2, estimator="leave_one_out"), 2, False),
        (IWAE(2, estimator="leave_one_out"), 2, True),
        (IWAE(3, estimator="leave_one_out"), 3, True),
    ],
    ids=["nvil", "loo", "vimco-2", "vimco-3"],
)
def test_gradient_of_a_bernoulli_posterior_against_enumeration(objective, k, importance):
    states = np.array(list(itertools.product([0, 1], repeat=2)), float)
    values, weights = np.array([[0.4], [-0.9]]), np.array([0.9, -1.3])

    def exact(v, w):
        log_q = np.sum(states * v[:, 0] - np.logaddexp(0, v[:, 0]), axis=1)
        return toy.discrete_bound(log_q, states, w, lambda z: -2 * np.log(2), k, importance)

    prior = kv.priors.Uniform(kv.families.Bernoulli(2)).distribution()
    found, _ = toy.gradients(objective, kv.families.Bernoulli(2), prior, values, weights, ROWS)
    check(found, toy.finite_differences(exact, values, weights))


@pytest.mark.parametrize("objective", [ELBO(estimator="nvil"), ELBO(3, estimator="leave_one_out")], ids=["nvil", "loo"])
def test_gradient_of_a_categorical_posterior_against_enumeration(objective):
    states = np.array([np.eye(3)[list(s)].ravel() for s in itertools.product(range(3), repeat=2)])
    values, weights = np.array([[0.4, -0.9, 0.1], [0.0, 1.0, 0.3]]), np.array([0.9, -1.3, 0.2, 0.5, 0.1, -0.4])

    def exact(v, w):
        log_q = states @ scipy.special.log_softmax(v, axis=1).ravel()
        return toy.discrete_bound(log_q, states, w, lambda z: -2 * np.log(3), 1, False)

    family = kv.families.OneHotCategorical((2, 3))
    found, _ = toy.gradients(objective, family, kv.priors.Uniform(family).distribution(), values, weights, ROWS)
    check(found, toy.finite_differences(exact, values, weights))


def test_nvil_stays_right_once_its_baseline_has_learned_something():
    objective = ELBO(estimator="nvil")
    states = np.array([[0.0], [1.0]])
    # A signal of many nats beside a KL of few: nothing may change the weight of the one against the other.
    values, weights = np.array([[0.4]]), np.array([5.0])
    prior = kv.priors.Uniform(kv.families.Bernoulli(1)).distribution()
    arguments = (objective, kv.families.Bernoulli(1), prior, values, weights)
    toy.gradients(*arguments, 1000)
    assert float(objective.estimator.baseline.running_mean) != 0
    found, _ = toy.gradients(*arguments, ROWS, seed=(3, 4))

    def exact(v, w):
        log_q = np.sum(states * v[:, 0] - np.logaddexp(0, v[:, 0]), axis=1)
        return toy.discrete_bound(log_q, states, w, lambda z: -np.log(2), 1, False)

    check(found, toy.finite_differences(exact, values, weights))


def test_baselines_reduce_the_variance():
    values, weights = np.array([[0.4], [-0.9]]), np.array([0.9, -1.3])
    prior = kv.priors.Uniform(kv.families.Bernoulli(2)).distribution()

    def variance(objective):
        found, _ = toy.gradients(objective, kv.families.Bernoulli(2), prior, values, weights, 20_000)
        return found[0].var(axis=0).sum()

    # NVIL's baseline is not trained here: it is the plain score function, with a small random baseline.
    assert variance(ELBO(4, estimator="leave_one_out")) < 0.8 * variance(ELBO(4, estimator="nvil"))


@pytest.mark.stress
def test_nvil_learns_its_baseline():
    objective = ELBO(estimator=kv.estimators.NVIL(kv.networks.MLP([8])))
    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP([8]), kv.families.Bernoulli(4)),
        kv.Decoder(kv.networks.MLP([8]), kv.families.Bernoulli(6)),
        prior=kv.priors.Uniform(kv.families.Bernoulli(4)),
        objective=objective,
        seed=1,
    )
    vae.compile("adam", jit_compile=False)
    rng = np.random.default_rng(0)
    # Rows of one class are all alike, those of the other are noise: the signal depends on x.
    x = np.where(rng.random([512, 1]) < 0.5, 1.0, rng.random([512, 6]) < 0.5).astype(np.float32)
    before = [w.copy() for w in objective.estimator.baseline.network.get_weights()]
    vae.fit(x, batch_size=64, epochs=60, verbose=0)
    assert any(np.any(a != b) for a, b in zip(before, objective.estimator.baseline.network.get_weights(), strict=True))
    baseline = objective.estimator.baseline
    predicted = (baseline(x) + baseline.running_mean).numpy()
    signal = np.mean(vae.log_weights(x, 50), axis=0)
    assert np.corrcoef(predicted, signal)[0, 1] > 0.8


def _encoder_gradients(vae, x):
    """Return each example's gradient by the encoder's bias."""
    found = []
    for row in x:
        with tf.GradientTape() as tape:
            loss = vae.objective(vae, row[None], seed=tf.constant([5, 6]), training=True)["loss"][0]
        found.append(tape.gradient(loss, vae.encoder.head.bias.value).numpy())
    return np.array(found)


@pytest.mark.parametrize(
    "objective",
    [ELBO(estimator="sticking_the_landing"), IWAE(4, estimator="doubly_reparameterized")],
    ids=["stl", "dreg"],
)
def test_path_gradients_vanish_at_the_exact_posterior(objective):
    vae, x = linear_gaussian.model(exact_posterior=True), linear_gaussian.data(20)
    plain = _encoder_gradients(vae, x)
    vae.objective = objective
    assert np.abs(plain).max() > 0.1
    # What remains is float32's rounding.
    assert np.abs(_encoder_gradients(vae, x)).max() < 1e-4


def test_path_gradient_of_a_flow_against_the_reparameterized_one():
    """The two estimate one gradient: their means agree for a posterior whose density knows its own weights."""
    family = kv.families.InverseAutoregressiveFlow(2, flows=1, hidden=[4], context_size=2)
    for weight in family.weights:
        weight.assign(np.random.default_rng(0).normal(scale=0.5, size=weight.shape))
    prior = tfd.MultivariateNormalDiag([0.0, 0.0])
    values, weights = np.random.default_rng(1).normal(size=family.parameters_shape) * 0.3, np.array([0.9, -0.5])
    means, errors = [], []
    for estimator in ("reparameterized", "sticking_the_landing"):
        found, _ = toy.gradients(ELBO(estimator=estimator), family, prior, values, weights, 20_000)
        found = np.concatenate(found, axis=1)
        means.append(found.mean(axis=0))
        errors.append(found.std(axis=0) / np.sqrt(len(found)))
    assert np.all(np.abs(means[0] - means[1]) < 5 * np.hypot(*errors) + 1e-4)
    assert np.abs(means[0]).max() > 0.1


@pytest.mark.parametrize("straight_through", [False, True])
def test_relaxed_gradient_against_finite_differences_of_the_same_noise(straight_through):
    family = kv.families.GumbelSoftmax((2, 3), temperature=0.7, straight_through=straight_through)
    rng = np.random.default_rng(0)
    values, direction = rng.normal(size=[2, 3]), rng.normal(size=[1, 1, 2, 3]).astype(np.float32)

    def draw(v, relaxed):
        logits = tf.constant(v[None], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            z = relaxed.relaxed_sample({"logits": logits}, 1, tf.constant([1, 2]), tf.constant(0))
            value = tf.reduce_sum(z * direction)
        return z.numpy(), float(value), tape.gradient(value, logits).numpy()[0]

    z, _, found = draw(values, family)
    soft = kv.families.GumbelSoftmax((2, 3), temperature=0.7)
    h = 1e-2
    wanted = np.zeros([2, 3])
    for i, j in np.ndindex(2, 3):
        step = np.zeros([2, 3])
        step[i, j] = h
        wanted[i, j] = (draw(values + step, soft)[1] - draw(values - step, soft)[1]) / (2 * h)
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    assert set(np.unique(z)) == {0.0, 1.0} if straight_through else np.all((z > 0) & (z < 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ELBO(estimator="stick"), "Unknown estimator of ELBO: expected one of .*, received 'stick'"),
        (lambda: ELBO(beta=-1.0), "beta: expected a non-negative finite number"),
        (lambda: ELBO(free_bits=-0.1), "free_bits: expected a non-negative finite number, received -0.1"),
        (lambda: IWAE(0), "num_samples: expected a positive integer, received 0"),
        (lambda: kv.objectives.InfoVAE(alpha=2.0), "alpha from 0 to 1"),
        (lambda: kv.objectives.InfoVAE(alpha=0.5, lambda_=0.1), "alpha \\+ lambda_ of at least 1"),
        (lambda: kv.objectives.BetaTC(0), "dataset_size: expected a positive integer"),
        (lambda: kv.families.GumbelSoftmax((2, 3), temperature=0), "temperature: expected a positive number"),
        (lambda: kv.families.OneHotCategorical(5), "at least two categories"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("objective", [kv.objectives.ELBO(2), kv.objectives.InfoVAE(0.0, 1.0)], ids=["elbo", "info"])
def test_gradient_of_a_density_that_jumps_against_finite_differences_of_the_kl(objective):
    """A decoder that ignores z leaves −KL(q ‖ uniform), whose gradient lies in the jumps of log q alone."""
    family = kv.families.PiecewiseConstant(1)
    model = kv.VAE(
        kv.Encoder(kv.networks.MLP(), family),
        kv.Decoder(kv.networks.MLP(), kv.families.Normal(2, scale=1.0)),
        kv.priors.Uniform(family),
        objective,
        seed=0,
    )
    for part, bias in ((model.decoder, np.zeros(2)), (model.encoder, np.linspace(-2, 2, 5))):
        part.head.set_weights([np.zeros_like(part.head.get_weights()[0]), bias])

    def kl(values):
        masses = scipy.special.softmax(10 * np.tanh(values / 10))
        return np.sum(masses * np.log(5 * masses))

    step = 1e-5 * np.eye(5)
    values = np.linspace(-2, 2, 5)
    wanted = [(kl(values + h) - kl(values - h)) / 2e-5 for h in step]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.objective(model, tf.zeros([10, 2]), tf.constant([0, 1]), training=True)["loss"])
    np.testing.assert_allclose(tape.gradient(loss, model.encoder.head.bias), wanted, atol=1e-5)
    assert np.max(np.abs(wanted)) > 0.3
