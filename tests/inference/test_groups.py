"""Groups of latents: exact log-likelihoods, gradients, shared paths, names."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae as kv
from keras_vae.inference import LatentGroups
from keras_vae.utils.seeds import rows_of
from tests.linear_chain import BOTTOM, DATA, SCALES, TOP, data, linear_chain


def test_importance_sampling_reaches_the_exact_log_likelihood_of_a_chain():
    vae, marginal, _ = linear_chain()
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    vae.fit(data(marginal, 2000), batch_size=100, epochs=5, verbose=0)
    # The model's own p(x) moved while it trained: it is read off its weights.
    a, b = vae.prior.links["z1"].head.get_weights(), vae.decoder.head.get_weights()
    of_z1 = a[0].T @ a[0] + SCALES["z1"] ** 2 * np.eye(BOTTOM)
    mean = b[0].T @ a[1] + b[1]
    exact = scipy.stats.multivariate_normal(mean, b[0].T @ of_z1 @ b[0] + SCALES["x"] ** 2 * np.eye(DATA))
    x = data(marginal, 20, seed=2)
    found = kv.evaluation.log_likelihood(vae, x, num_samples=20_000, verbose=False)
    # Ten times the estimate's own standard error over samples: a bias of a wrong density would be far larger.
    np.testing.assert_allclose(found.per_example, exact.logpdf(x), atol=10 * max(found.sampling_errors.max(), 1e-3))
    elbo = vae.objective(vae, tf.constant(x), tf.constant([1, 2]))["bound"].numpy()
    assert elbo.mean() < exact.logpdf(x).mean()


def test_densities_of_a_chain_are_those_of_scipy():
    vae, _, (a, b) = linear_chain()
    rng = np.random.default_rng(5)
    x, z1, z2 = (rng.normal(size=[2, size]).astype(np.float32) for size in (DATA, BOTTOM, TOP))
    densities = vae.infer(x).densities({"z1": z1[None], "z2": z2[None]})
    normal = scipy.stats.norm
    np.testing.assert_allclose(densities.log_prior["z2"][0], normal.logpdf(z2).sum(1), rtol=1e-5)
    wanted = normal(z2 @ a.T, SCALES["z1"]).logpdf(z1).sum(1)
    np.testing.assert_allclose(densities.log_prior["z1"][0], wanted, rtol=1e-4)
    np.testing.assert_allclose(densities.log_likelihood[0], normal(z1 @ b.T, SCALES["x"]).logpdf(x).sum(1), rtol=1e-4)
    np.testing.assert_allclose(
        densities.log_joint, densities.log_likelihood + sum(densities.log_prior.values()), rtol=1e-6
    )
    first = vae.encoder.links["z1"].distribution(x)
    np.testing.assert_allclose(densities.log_posterior["z1"][0], first.log_prob(z1), rtol=1e-5)
    second = vae.encoder.links["z2"].distribution(z1)
    np.testing.assert_allclose(densities.log_posterior["z2"][0], second.log_prob(z2), rtol=1e-5)
    # z1's prior depends on z2, which the posterior draws after z1: no closed form. z2's prior depends on nothing.
    assert densities.kl["z1"] is None
    prior = tfd.MultivariateNormalDiag(tf.zeros(TOP))
    np.testing.assert_allclose(densities.kl["z2"][0], second.kl_divergence(prior), rtol=1e-4)


def small(objective=None, order=("z2", "z1"), posterior=kv.families.Normal, condition=None):
    """Build a chain of two groups in which the prior draws `order`."""
    sizes = {"z1": 3, "z2": 2}
    first, second = order
    keras.utils.set_random_seed(3)
    return kv.VAE(
        encoder=kv.ChainEncoder(
            {name: kv.Encoder(kv.networks.MLP([8]), posterior(size)) for name, size in sizes.items()}
        ),
        decoder=kv.Decoder(kv.networks.MLP([8]), kv.families.Bernoulli((6,))),
        prior=kv.priors.Chain(
            {
                first: kv.priors.StandardNormal(sizes[first]),
                second: kv.Decoder(kv.networks.MLP([8]), kv.families.Normal(sizes[second])),
            }
        ),
        objective=objective,
        condition=condition,
        seed=1,
    )


def binary(count, seed=0):
    return (np.random.default_rng(seed).random([count, 6]) < 0.5).astype(np.float32)


def _gradients(vae, x, repetitions):
    @tf.function
    def one(seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(vae.objective(vae, x, seed, training=True)["loss"])
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(loss, vae.trainable_variables[:n])], 0)

    n = len(vae.encoder.trainable_variables) + len(vae.decoder.trainable_variables) + len(vae.prior.trainable_variables)
    found = np.array([one(tf.constant([s, 1])).numpy() for s in range(repetitions)])
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(repetitions)


@pytest.mark.parametrize(
    "order",
    [pytest.param(("z2", "z1"), id="z2-z1"), pytest.param(("z1", "z2"), id="z1-z2", marks=pytest.mark.stress)],
)
@pytest.mark.parametrize(
    ("plain", "other"),
    [
        (lambda: kv.objectives.ELBO(), lambda: kv.objectives.ELBO(estimator="sticking_the_landing")),
        (lambda: kv.objectives.ELBO(), lambda: kv.objectives.ELBO(5, estimator="leave_one_out")),
        (lambda: kv.objectives.IWAE(3), lambda: kv.objectives.IWAE(3, estimator="doubly_reparameterized")),
        (lambda: kv.objectives.IWAE(3), lambda: kv.objectives.IWAE(3, estimator="leave_one_out")),
    ],
    ids=["sticking-the-landing", "leave-one-out", "dreg", "vimco"],
)
def test_every_estimator_of_two_groups_has_the_expectation_of_the_reparameterized_one(plain, other, order):
    """All estimate one gradient. Their differences, by their standard errors, have a mean square of about 1."""
    x = tf.constant(np.tile(binary(1), [1000, 1]))  # 1,000 draws a pass
    (mine, my_error), (theirs, their_error) = (
        _gradients(small(make(), order), x, repetitions=12) for make in (other, plain)
    )
    scores = (mine - theirs) / np.sqrt(my_error**2 + their_error**2 + 1e-14)
    # With 11 degrees of freedom a squared score has mean 1.1 to 1.2 and, over 250 correlated entries, a spread of 0.3.
    assert np.mean(scores**2) < 2.5
    assert np.max(np.abs(scores)) < 7


def test_kl_is_reported_by_group_and_sums_up():
    vae = small()
    vae.compile(jit_compile=False)
    history = vae.fit(binary(32), validation_data=binary(16, 1), epochs=1, verbose=0).history
    assert {"kl", "kl/z1", "kl/z2", "val_kl/z1"} <= set(history)
    assert history["kl"][0] == pytest.approx(history["kl/z1"][0] + history["kl/z2"][0], rel=1e-4)
    assert history["bound"][0] == pytest.approx(history["reconstruction"][0] - history["kl"][0], rel=1e-4)


def test_free_bits_of_groups_whose_kl_has_a_closed_form():
    """In the order of the posterior all groups have one. A λ above every latent's KL makes all of it free."""
    x = tf.constant(binary(64))
    free = kv.objectives.ELBO(free_bits=1000.0)
    terms = free(small(free, ("z1", "z2")), x, tf.constant([1, 2]))
    np.testing.assert_allclose(terms["loss"], 1000.0 * 5 - terms["reconstruction"], rtol=1e-5)
    barely = kv.objectives.ELBO(free_bits=1e-9)
    vae = small(barely, ("z1", "z2"))
    terms = barely(vae, x, tf.constant([1, 2]))
    np.testing.assert_allclose(terms["loss"], -terms["bound"], rtol=1e-4)
    with pytest.raises(ValueError, match=r"free_bits=0.1: .* group 'z1'"):
        small(kv.objectives.ELBO(free_bits=0.1))


def test_one_seed_is_one_latent_in_any_batch_and_draws_are_observations():
    vae = small()
    together = vae.generate([5, 6, 7], draws=True)
    alone = vae.generate([6], draws=True)
    for name in ("z1", "z2"):
        np.testing.assert_array_equal(alone["z"][name][0], together["z"][name][1])
    assert set(np.unique(together["draw"])) <= {0.0, 1.0}
    of_seed = vae.generate(rows_of(5, 3), draws=True)
    np.testing.assert_array_equal(vae.sample(3, seed=5, draws=True), of_seed["draw"])
    np.testing.assert_array_equal(vae.sample(3, seed=5), of_seed["mean"])
    np.testing.assert_allclose(vae.decode(together["z"])["mean"], together["mean"], rtol=1e-5)


def test_scores_repeat_row_by_row_and_approach_the_likelihood():
    vae, marginal, _ = linear_chain()
    x = data(marginal, 4)
    scores = vae.score(x, seeds=np.arange(4), num_samples=2000)
    np.testing.assert_allclose(vae.score(x[2:3], seeds=[2], num_samples=2000)[0], scores[2], rtol=1e-4)
    assert np.all(scores < marginal.logpdf(x) + 1.0)


def test_a_condition_reaches_all_groups():
    vae = small(condition=kv.conditions.Label(3))
    vae.compile(jit_compile=False)
    vae.fit(binary(30), np.arange(30) % 3, epochs=1, verbose=0)
    zero, one = (vae.generate([1, 2], condition=label) for label in (0, 1))
    # z2's prior is the same for all labels, z1's is not.
    np.testing.assert_array_equal(zero["z"]["z2"], one["z"]["z2"])
    assert np.all(zero["z"]["z1"] != one["z"]["z1"])
    means = [vae.encode(binary(2), condition=label)["mean"] for label in (0, 1)]
    assert all(np.all(means[0][name] != means[1][name]) for name in ("z1", "z2"))


@keras.saving.register_keras_serializable("tests")
class LadderPrior(kv.priors.Prior):
    """p(a) p(b|a) with a deterministic path h(a) that the posterior shares, and that the decoder is given."""

    def __init__(self, **kwargs):
        super().__init__(2, **kwargs)
        self.path_layer = keras.layers.Dense(5, activation="tanh")
        self.path_layer.build((None, 2))
        self.mean_layer = keras.layers.Dense(3)
        self.mean_layer.build((None, 5))
        self.calls = 0

    groups = ("a", "b")
    shapes = {"a": (2,), "b": (3,)}  # noqa: RUF012
    decoder_input_shape = (8,)

    def begin(self, condition=None, posterior=None, training=None):
        return None

    def group(self, name, path, training=None):
        mean = tf.zeros(2) if name == "a" else self.mean_layer(path)
        return tfd.Independent(tfd.Normal(mean, tf.ones_like(mean)), 1)

    def extend(self, name, path, z, training=None):
        self.calls += name == "a"
        return self.path_layer(z) if name == "a" else tf.concat([path, z], axis=-1)

    def decoder_input(self, path, z):
        return path

    def get_config(self):
        return {"dtype": self.dtype}


class LadderEncoder(kv.LatentEncoder):
    """q(a|x) q(b|a, x), which reads x once and follows the prior's path."""

    shares_path = True

    def __init__(self):
        super().__init__()
        self.read_layer, self.a_layer, self.b_layer = (keras.layers.Dense(size) for size in (7, 4, 6))
        self.of_group = {"a": kv.families.Normal(2), "b": kv.families.Normal(3)}

    @property
    def families(self):
        return self.of_group

    def build(self, input_shape, condition=None):
        self.read_layer.build(input_shape)
        self.a_layer.build((None, 7))
        self.b_layer.build((None, 12))

    def read(self, x, condition=None, training=None):
        return self.read_layer(x)

    def parameters(self, name, evidence, earlier, path, condition=None, training=None):
        if name == "a":
            return self.of_group["a"](tf.reshape(self.a_layer(evidence), [-1, 2, 2])), evidence
        leading = tf.shape(path)[:-1]
        read = tf.broadcast_to(evidence, tf.concat([leading, [7]], 0))
        values = self.b_layer(tf.concat([path, read], axis=-1))
        return self.of_group["b"](tf.reshape(values, tf.concat([leading, [3, 2]], 0))), evidence


def ladder(objective=None):
    return kv.VAE(
        LadderEncoder(), kv.Decoder(kv.networks.MLP([8]), kv.families.Bernoulli((6,))), LadderPrior(), objective
    )


def test_a_ladder_shares_its_path_and_computes_it_once_in_training():
    vae = ladder()
    x = tf.constant(binary(8))
    inference = vae.infer(x)
    draws = inference.draw(5, 0)
    vae.prior.calls = 0
    densities = inference.densities(draws)
    assert densities.log_weights.shape == (5, 8)
    assert vae.prior.calls == 0, "the path was computed while drawing"
    again = inference.densities(vae.latents.pack(draws.z))
    np.testing.assert_allclose(again.log_weights, densities.log_weights, rtol=1e-5)
    assert vae.prior.calls == 1
    # Both groups' priors depend only on groups drawn before, so both KLs have a closed form.
    assert densities.kl["a"].shape == (8,)
    assert densities.kl["b"].shape == (5, 8)
    exact = densities.posterior["b"].kl_divergence(densities.prior["b"])
    np.testing.assert_allclose(densities.kl["b"], exact, rtol=1e-5)


def test_a_ladder_trains_and_serves_rows():
    vae = ladder(kv.objectives.ELBO(free_bits=0.01))
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    losses = vae.fit(binary(64), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert vae.generate([1, 2])["z"]["b"].shape == (2, 3)
    scores = vae.score(binary(3), seeds=[1, 2, 3], num_samples=8)
    np.testing.assert_allclose(vae.score(binary(3)[1:2], seeds=[2], num_samples=8)[0], scores[1], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: kv.VAE(small().encoder, kv.Decoder(kv.networks.MLP(), kv.families.Bernoulli((6,)))),
            "prior: expected one over the groups of latents z1, z2, received None. Use .*Chain",
        ),
        (
            lambda: kv.VAE(
                small().encoder,
                kv.Decoder(kv.networks.MLP(), kv.families.Bernoulli((6,))),
                kv.priors.StandardNormal(3),
            ),
            r"prior: expected the encoder's groups of latents \['z1', 'z2'\]",
        ),
        (lambda: small(kv.objectives.BetaTC(64)), "BetaTC: expected a model with one group"),
        (lambda: kv.priors.Chain({"z": kv.priors.StandardNormal(2)}), "Chain: links: expected two or more, received 1"),
        (
            lambda: kv.priors.Chain({"a": kv.priors.StandardNormal(2), "b": 3}),
            "link 'b': expected a keras_vae.Decoder, received 3",
        ),
        (lambda: kv.ChainEncoder({"z1": kv.networks.MLP()}), "link 'z1': expected a keras_vae.Encoder"),
        (lambda: small().decode({"z1": np.zeros([1, 3])}), r"expected a dict .*'z1', 'z2', received \['z1'\]"),
        (lambda: small().decode(np.zeros([1, 3])), "received ndarray"),
        (
            lambda: small().decode({"z1": np.zeros([1, 9]), "z2": np.zeros([1, 2])}),
            r"z\['z1'\]: expected shape \(\.\.\., 3\), received \(1, 9\)",
        ),
        (
            lambda: small().posterior(binary(2)),
            "expected a model with one group of latents, received the groups z1, z2",
        ),
        (lambda: small().prior_distribution(), "expected a model with one group"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda link: kv.ChainEncoder({"a/b": link}), "names of letters, digits and underscores, received 'a/b'"),
        (lambda link: kv.ChainEncoder({1: link}), "names of letters.*received 1"),
        (lambda link: kv.ChainEncoder([link]), "expected a dict with one link per group, received a list"),
        (lambda link: kv.priors.Chain([link, link]), "expected a dict with one link per group, received a list"),
        (lambda link: kv.models.vae(4, latent_size=[]), "two or more"),
        (lambda link: kv.models.vae(4, latent_size=[3]), "two or more"),
        (lambda link: kv.models.vae(4, latent_size=[3, 2], hidden=8), "hidden: expected"),
    ],
)
def test_names_and_sizes_of_groups_are_checked_when_the_model_is_built(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make(kv.Encoder(kv.networks.MLP([4]), kv.families.Normal(2)))


def test_groups_and_seeds_have_equal_rows(tmp_path):
    vae = small()
    z1, z2 = np.zeros([3, 3], np.float32), np.zeros([1, 2], np.float32)
    with pytest.raises(ValueError, match="expected as many rows of 'z2' as of 'z1'"):
        vae.decode({"z1": z1, "z2": z2})
    with pytest.raises(ValueError, match=r"VAE.score: seeds: expected shape \(4,\), received \(1,\)"):
        vae.score(binary(4), seeds=[1])
    with pytest.raises(ValueError, match=r"VAE.generate: seeds: expected shape \(batch,\), received \(\)"):
        vae.generate(3)
    vae.export(tmp_path / "1", score_samples=2)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many rows"):
        served["decode"](**{"z/z1": tf.constant(z1), "z/z2": tf.constant(z2)})
    with pytest.raises(tf.errors.InvalidArgumentError, match="one per row"):
        served["score"](x=tf.constant(binary(4)), seed=tf.constant([1], tf.int64))


def test_log_weights_of_a_ready_made_hierarchy_have_light_tails():
    """With scales that grow exponentially with z2, an untrained model's log-weights reached 1e6 and more."""
    keras.utils.set_random_seed(2)
    vae = kv.models.vae((6,), latent_size=[4, 3], hidden=[8], upper_hidden=[8], seed=1)
    assert np.min(vae.log_weights(binary(64), 50)) > -1e3


def test_flattening_goes_there_and_back():
    groups = LatentGroups({"b": (2, 2), "a": (3,)})
    z = {"a": tf.random.stateless_normal([4, 5, 3], [1, 2]), "b": tf.random.stateless_normal([4, 5, 2, 2], [1, 3])}
    flat = groups.flatten(z)
    assert flat.shape == (4, 5, 7)
    np.testing.assert_array_equal(flat[..., :3], z["a"])
    back = groups.unflatten(flat)
    assert list(back) == ["a", "b"]
    np.testing.assert_array_equal(back["b"], z["b"])


def test_summary_names_the_groups(capsys):
    lines = []
    kv.models.vae((4,), latent_size=[3, 2], hidden=[4], upper_hidden=[4]).summary(print_fn=lines.append)
    assert lines[-1] == " Groups of latents: z1 (3,), z2 (2,)"
    kv.models.vae((4,), latent_size=3, hidden=[4]).summary()
    assert "Groups" not in capsys.readouterr().out
