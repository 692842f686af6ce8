from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import keras_vae as kv
from keras_vae.utils import seeds as streams


def small(**arguments):
    return kv.models.vae((8, 8, 1), latent_size=3, hidden=[16], **{"seed": 1, **arguments})


def compiled(**arguments):
    vae = small()
    vae.compile(keras.optimizers.Adam(1e-2), **{"jit_compile": False, **arguments})
    return vae


def test_fit_reports_the_terms_in_nats(binary_images):
    vae = compiled()
    history = vae.fit(binary_images, batch_size=16, epochs=2, validation_data=binary_images, verbose=0).history
    names = {"loss", "bound", "reconstruction", "kl"}
    assert set(history) == names | {f"val_{n}" for n in names}
    for i in range(2):
        assert history["bound"][i] == pytest.approx(history["reconstruction"][i] - history["kl"][i], rel=1e-5)
        assert history["loss"][i] == pytest.approx(-history["bound"][i])


def test_metrics_are_means_over_examples_though_the_last_batch_is_small(binary_images):
    """Posterior and decoder are made constant, so that the exact mean is known."""
    vae = compiled()
    for part in (vae.encoder, vae.decoder):
        part.head.set_weights([0 * w for w in part.head.get_weights()])
    x = binary_images[:50].copy()
    found = vae.evaluate(x, batch_size=32, verbose=0, return_dict=True)
    assert found["reconstruction"] == pytest.approx(64 * np.log(0.5), rel=1e-6)
    assert found["kl"] == pytest.approx(0, abs=1e-6)


def test_fit_takes_datasets_pairs_and_weights(binary_images):
    x = binary_images
    for data in (x, (x,), (x, x), (x, np.arange(64))):
        dataset = tf.data.Dataset.from_tensor_slices(data).batch(16)
        assert np.isfinite(compiled().fit(dataset, verbose=0).history["loss"][0])
    assert np.isfinite(compiled().fit(x, x, batch_size=16, verbose=0).history["loss"][0])


def test_sample_weights_weigh_the_loss(binary_images):
    vae, weight = compiled(), np.r_[np.full(32, 2.0), np.zeros(32)].astype("float32")
    found = vae.evaluate(binary_images, sample_weight=weight, batch_size=64, verbose=0, return_dict=True)
    seed = streams.fold(vae.seed, streams.TEST, 0)
    bounds = vae.objective(vae, binary_images, seed=seed)["bound"].numpy()
    assert found["bound"] == pytest.approx(bounds[:32].mean(), rel=1e-5)
    assert found["loss"] == pytest.approx(-2 * bounds[:32].mean(), rel=1e-5)  # weighed, as it is minimized


def test_sample_weights_weigh_the_gradient(binary_images):
    """Doubling every weight doubles the step of plain gradient descent."""
    steps = []
    for weight in (1.0, 2.0):
        keras.utils.set_random_seed(0)
        vae = small()
        vae.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
        before = vae.decoder.head.bias.numpy().copy()
        vae.fit(binary_images, sample_weight=np.full(64, weight), batch_size=64, shuffle=False, verbose=0)
        steps.append(vae.decoder.head.bias.numpy() - before)
    np.testing.assert_allclose(2 * steps[0], steps[1], rtol=1e-3, atol=1e-7)


def test_steps_per_execution_changes_nothing(binary_images):
    losses = []
    for steps in (1, 4):
        keras.utils.set_random_seed(0)
        vae = compiled(steps_per_execution=steps)
        dataset = tf.data.Dataset.from_tensor_slices(binary_images).batch(8)
        losses.append(vae.fit(dataset, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_evaluate_repeats_and_batches_have_their_own_noise(binary_images):
    vae = compiled()
    assert vae.evaluate(binary_images, verbose=0) == vae.evaluate(binary_images, verbose=0)
    same = np.repeat(binary_images[:1], 128, axis=0)
    one, two = (vae.evaluate(same[:n], batch_size=64, verbose=0)[0] for n in (64, 128))
    assert one != two  # equal if the second batch repeated the first one's noise


def test_training_noise_changes_with_the_step(binary_images):
    vae = small()
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    losses = [vae.train_on_batch(binary_images)[0] for _ in range(2)]
    vae.reset_metrics()
    assert losses[0] != losses[1]


def test_call_and_predict_give_the_mean_reconstruction(binary_images):
    vae = compiled()
    x = binary_images[:5]
    z = vae.encode(x)["mean"]
    np.testing.assert_allclose(vae(x), vae.decode(z)["mean"], rtol=1e-6)
    np.testing.assert_allclose(vae.predict(x, verbose=0), vae.reconstruct(x), rtol=1e-5)
    assert vae.predict(x, verbose=0).shape == x.shape


def test_encode_and_decode_agree_with_the_distributions(binary_images):
    vae = small()
    x = binary_images[:4]
    encoded = vae.encode(x)
    np.testing.assert_allclose(encoded["scale"], vae.posterior(x).stddev())
    decoded = vae.decode(encoded["mean"])
    np.testing.assert_allclose(decoded["mean"], tf.sigmoid(decoded["logits"]), rtol=1e-6)


def test_latents_with_leading_axes_are_one_large_batch():
    vae = small()
    z = tf.random.normal([2, 5, 3], seed=0)
    assert vae.likelihood(z).batch_shape == [2, 5]
    np.testing.assert_allclose(
        vae.likelihood(z).mean()[1, 3], vae.likelihood(z[1, 3][None]).mean()[0], rtol=1e-5, atol=1e-6
    )


def test_generated_latents_follow_the_prior():
    z = small().generate(tf.range(3000))["z"].numpy()
    for column in z.T:
        assert scipy.stats.kstest(column, "norm").pvalue > 0.001  # level 0.001, seeds fixed
    assert np.abs(np.corrcoef(z.T) - np.eye(3)).max() < 0.1  # five standard errors


def test_one_seed_one_image_in_any_batch():
    vae = small()
    together = vae.generate(tf.constant([9, -4, 2**40, 7], tf.int64))
    for i, seed in enumerate([9, -4, 2**40, 7]):
        alone = vae.generate(tf.constant([seed], tf.int64))
        np.testing.assert_array_equal(alone["z"][0], together["z"][i])
        np.testing.assert_allclose(alone["mean"][0], together["mean"][i], atol=1e-5)
    assert not np.array_equal(vae.sample(2), vae.sample(2))


def test_score_is_the_importance_weighted_bound(binary_images):
    """Near the log-likelihood estimate with many samples, and each row its own."""
    vae = compiled()
    vae.fit(binary_images, epochs=20, verbose=0)
    x = binary_images[:6]
    seeds = tf.constant([0, 1, 2, 3, 4, 5])
    scores = vae.score(x, seeds=seeds, num_samples=2000)
    wanted = kv.evaluation.log_likelihood(vae, x, num_samples=5000, verbose=False).per_example
    np.testing.assert_allclose(scores, wanted, atol=0.3)  # two estimates of the same value
    np.testing.assert_allclose(vae.score(x[2:3], seeds=seeds[2:3], num_samples=2000)[0], scores[2], rtol=1e-4)


def test_a_plain_keras_model_can_be_the_network(binary_images):
    network = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(12, activation="tanh")])
    vae = kv.VAE(
        kv.Encoder(network, kv.families.Normal(2)),
        kv.Decoder(kv.networks.MLP([12]), kv.families.Bernoulli((8, 8, 1))),
    )
    vae.compile(jit_compile=False)
    vae.fit(binary_images, verbose=0)
    assert vae.latent_shape == (2,)


def test_wrong_parts_are_refused():
    encoder = kv.Encoder(kv.networks.MLP([4]), kv.families.Normal(3))
    decoder = kv.Decoder(kv.networks.MLP([4]), kv.families.Bernoulli(8))
    with pytest.raises(TypeError, match="VAE: encoder: expected a keras_vae LatentEncoder, received"):
        kv.VAE(decoder, encoder)
    with pytest.raises(ValueError, match=r"the shape of the posterior's latents, \(3,\), received \(4,\)"):
        kv.VAE(encoder, decoder, prior=kv.priors.StandardNormal(4))
    with pytest.raises(TypeError, match=r"Encoder: family: expected .*, received .* Pass \(network, family\)"):
        kv.Encoder(kv.families.Normal(3), kv.networks.MLP([4]))
    with pytest.raises(ValueError, match="Did you mean 'bernoulli'"):
        small(likelihood="bernouli")
    with pytest.raises(ValueError, match="Unknown network"):
        small(network="cnn")
    with pytest.raises(ValueError, match=r"expected event_shape .height, width, channels."):
        kv.models.vae((8,), network="conv")
    with pytest.raises(ValueError, match="expected no scale for Bernoulli"):
        small(scale=1.0)


@pytest.mark.parametrize("argument", ["loss", "metrics"])
def test_compile_refuses_what_would_be_ignored(argument):
    with pytest.raises(ValueError, match="objective"):
        small().compile(**{argument: "mse"})


def test_bad_sample_arguments_are_refused():
    for bad in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="num_samples"):
            small().sample(bad)


@pytest.mark.parametrize("bad", [1.7, "0", True, np.float32(1), -1, 2**31])
def test_seeds_are_integers_everywhere(bad, tmp_path):
    vae, x = small(), np.zeros([2, 8, 8, 1], np.float32)
    for call in (
        lambda: kv.models.vae((8, 8, 1), latent_size=2, seed=bad),
        lambda: vae.sample(2, seed=bad),
        lambda: kv.data.load(np.zeros([4, 8, 8, 1], bool), seed=bad),
        lambda: kv.training.Run(tmp_path).train(kv.training.RunConfig(seed=bad), epochs=1),
        lambda: kv.evaluation.log_likelihood(vae, x, seed=bad),
    ):
        with pytest.raises(ValueError, match=r"seed: expected an integer from -?\d+ to \d+, received .*\. Use 0, for"):
            call()


def test_a_config_with_a_negative_seed_still_loads():
    config = {**small().get_config(), "seed": -5}
    assert kv.VAE.from_config(config).seed == -5


def test_numpy_numbers_are_numbers():
    assert small(num_samples=np.int64(2)).sample(np.int64(3), seed=np.int64(1)).shape == (3, 8, 8, 1)
    assert kv.families.Normal(2, scale=np.float32(0.5)).scale_spec == 0.5


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_a_saved_model_keeps_its_precision(policy, binary_images, tmp_path):
    keras.config.set_dtype_policy(policy)
    vae = compiled()
    keras.config.set_dtype_policy("float32")
    vae.fit(binary_images, verbose=0)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    policies = [[layer.dtype_policy.name for layer in model._flatten_layers()] for model in (vae, loaded)]
    assert policies[0] == policies[1]
    assert policy in policies[0]
    np.testing.assert_array_equal(loaded.predict(binary_images, verbose=0), vae.predict(binary_images, verbose=0))


def test_seeds_stay_apart():
    seeds = tf.concat([tf.range(2**16, dtype=tf.int64), tf.range(2**16, dtype=tf.int64) * 2**40 - 2**62], 0)
    for stream in (streams.GENERATE, streams.SCORE):
        folded = streams.for_row(seeds, stream)
        assert len(np.unique(folded.numpy(), axis=0)) == len(np.unique(seeds))


def test_accumulated_gradients_have_fresh_noise(binary_images):
    vae = small()
    vae.compile(keras.optimizers.SGD(0.0, gradient_accumulation_steps=4), jit_compile=False)
    losses = [vae.train_on_batch(binary_images)[0] for _ in range(4)]
    assert len(set(losses)) == 4


def test_evaluation_noise_does_not_depend_on_weights(binary_images):
    same = np.repeat(binary_images[:1], 128, axis=0)
    weight = np.full(128, 0.001, "float32")
    one, two = (compiled().evaluate(same[:n], sample_weight=weight[:n], batch_size=64, verbose=0)[0] for n in (64, 128))
    assert one != two


def test_penalties_of_the_networks_belong_to_the_loss_and_not_to_the_bound(binary_images):
    network = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4, kernel_regularizer="l2")])
    vae = kv.VAE(
        kv.Encoder(network, kv.families.Normal(2)),
        kv.Decoder(kv.networks.MLP([4]), kv.families.Bernoulli((8, 8, 1))),
    )
    vae.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    found = vae.evaluate(binary_images, verbose=0, return_dict=True)
    penalty = 0.01 * np.sum(network.layers[1].kernel.numpy() ** 2)
    assert found["loss"] == pytest.approx(penalty - found["bound"], rel=1e-5)

    gradient = {}
    for factor in (0.0, 100.0):
        network.layers[1].kernel.regularizer = keras.regularizers.L2(factor)
        x, seed = tf.constant(binary_images), tf.constant([1, 2])
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(vae._terms(x, None, seed, training=True)["loss"])
        gradient[factor] = tape.gradient(loss, network.layers[1].kernel.value).numpy()
    # d(100 Σ w²)/dw
    np.testing.assert_allclose(gradient[100.0] - gradient[0.0], 200 * network.layers[1].kernel, rtol=1e-3, atol=1e-3)


def test_another_objective_after_compiling_anew(binary_images):
    class Reconstruction(kv.objectives.Objective):
        metrics = ("error",)

        def __call__(self, model, x, seed, training=None, condition=None):
            error = -model.likelihood(model.posterior(x).sample(seed=seed)).log_prob(x)
            return {"loss": error, "error": error}

    vae = compiled()
    vae.objective = Reconstruction()
    vae.compile(jit_compile=False)
    assert set(vae.fit(binary_images, verbose=0).history) == {"loss", "error"}


def test_inputs_of_another_shape_are_refused(binary_images):
    vae = compiled()
    for bad in (binary_images[:, :4], binary_images[..., 0]):
        with pytest.raises(ValueError, match=r"x: expected shape \(batch, 8, 8, 1\), received"):
            vae.predict(bad, verbose=0)
    with pytest.raises(ValueError, match=r"expected shape \(\.\.\., 3\), received"):
        vae.decode(np.zeros([2, 4], "float32"))


def test_a_family_may_make_weights_in_build(binary_images):
    class Shifted(kv.families.Bernoulli):
        def build(self, input_shape):
            self.shift = self.add_weight(shape=(), initializer="ones", name="shift")

        def call(self, unconstrained):
            return {"logits": super().call(unconstrained)["logits"] + self.shift}

    vae = kv.VAE(
        kv.Encoder(kv.networks.MLP([4]), kv.families.Normal(2)), kv.Decoder(kv.networks.MLP([4]), Shifted((8, 8, 1)))
    )
    vae.compile(jit_compile=False)
    vae.fit(binary_images, verbose=0)
    assert "shift" in [w.name for w in vae.trainable_weights]


def test_two_threads_may_save_to_one_path(tmp_path):
    vae = compiled()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: vae.save(tmp_path / "vae.keras"), range(8)))
    assert keras.saving.load_model(tmp_path / "vae.keras").seed == vae.seed
    assert [p.name for p in tmp_path.iterdir()] == ["vae.keras"]


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"filepath: expected a name that ends in \.keras, received .*vae\.h5"):
        compiled().save(tmp_path / "vae.h5")


def test_save_leaves_the_old_file_if_writing_fails(binary_images, tmp_path, monkeypatch):
    vae = compiled()
    path = tmp_path / "vae.keras"
    vae.save(path)
    old = path.read_bytes()

    def fails(self, filepath, **kwargs):
        filepath.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(keras.Model, "save", fails)
    with pytest.raises(OSError, match="disk full"):
        vae.save(path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["vae.keras"]


def test_encode_reconstruct_and_score_compile_under_xla():
    vae = kv.models.vae((8, 8, 1), latent_size=3, hidden=[16], seed=1)
    x = tf.cast(np.random.default_rng(0).random([5, 8, 8, 1]) < 0.5, tf.float32)
    # XLA may draw other numbers of the same seed, so that only what draws none can be compared.
    for ask in (lambda x: vae.encode(x)["mean"], vae.reconstruct):
        np.testing.assert_allclose(tf.function(ask, jit_compile=True)(x), ask(x), rtol=1e-4, atol=1e-5)
    for ask in (vae.encode, vae.reconstruct, lambda x: vae.score(x, seeds=tf.range(5), num_samples=4)):
        for value in tf.nest.flatten(tf.function(ask, jit_compile=True)(x)):
            assert np.all(np.isfinite(value))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"for a Bernoulli likelihood, received\] \[0.3\]"):
            tf.function(ask)(tf.where(tf.range(5)[:, None, None, None] == 2, 0.3, x))


def test_fit_before_compile_says_so():
    with pytest.raises(ValueError, match="Call `compile\\(\\)` before"):
        kv.models.vae((4,), latent_size=2, hidden=[4]).fit(np.zeros([4, 4], np.float32))
