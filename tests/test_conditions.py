import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv


def model(condition, prior=None, network=None):
    return kv.VAE(
        kv.Encoder(network or kv.networks.MLP([16]), kv.families.Normal(2)),
        kv.Decoder(kv.networks.MLP([16]), kv.families.Bernoulli((8, 8, 1))),
        prior=prior,
        condition=condition,
        seed=1,
    )


@pytest.fixture(scope="module")
def two_classes():
    """Class 0 is dark, class 1 light: y says all about x."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = (rng.random([200, 8, 8, 1]) < np.where(y == 1, 0.9, 0.1)[:, None, None, None]).astype(np.float32)
    return x, y


@pytest.fixture(scope="module")
def trained(two_classes):
    keras.utils.set_random_seed(0)
    vae = model(kv.conditions.Label(2), kv.ConditionalPrior(kv.networks.MLP([8]), kv.families.Normal(2)))
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    vae.fit(*two_classes, validation_data=two_classes, epochs=30, verbose=0)
    return vae


def test_samples_are_of_the_class_asked_for(trained):
    for label, wanted in ((0, 0.1), (1, 0.9)):
        assert np.mean(trained.sample(20, seed=0, condition=label)) == pytest.approx(wanted, abs=0.05)
    mixed = np.mean(trained.sample(4, seed=0, condition=[0, 1, 1, 0]), axis=(1, 2, 3))
    assert np.all((mixed > 0.5) == [False, True, True, False])


def test_a_condition_reaches_encoder_decoder_and_prior(trained, two_classes):
    x, z, seeds = two_classes[0][:3], np.zeros([3, 2], np.float32), np.arange(3)
    zero, one = np.zeros(3, int), np.ones(3, int)
    assert np.any(trained.encode(x, condition=zero)["mean"] != trained.encode(x, condition=one)["mean"])
    assert np.any(trained.decode(z, condition=zero)["mean"] != trained.decode(z, condition=one)["mean"])
    assert np.any(trained.generate(seeds, condition=zero)["z"] != trained.generate(seeds, condition=one)["z"])


def test_datasets_generators_and_arrays_alike(trained, two_classes):
    x, y = two_classes
    wanted = trained.evaluate(x, y, batch_size=50, verbose=0)
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(50)
    assert trained.evaluate(batches, verbose=0) == wanted
    assert trained.evaluate(((x[i : i + 50], y[i : i + 50]) for i in range(0, 200, 50)), verbose=0) == wanted
    reconstructed = trained.reconstruct(x, condition=y).numpy()
    np.testing.assert_allclose(trained.predict(batches, verbose=0), reconstructed, rtol=1e-5)
    np.testing.assert_allclose(trained.predict([x, y], verbose=0), reconstructed, rtol=1e-5)


def test_log_likelihood_is_of_x_given_y(trained, two_classes):
    x, y = two_classes
    right = kv.evaluation.log_likelihood(trained, (x, y), num_samples=20, verbose=False)
    wrong = kv.evaluation.log_likelihood(trained, (x, 1 - y), num_samples=20, verbose=False)
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(100)
    assert kv.evaluation.log_likelihood(trained, batches, num_samples=20, verbose=False).mean == pytest.approx(
        right.mean
    )
    # 64 pixels that are 0.9 against 0.1 likely are 64 · 0.8 · log 9 = 112 nats; a strange z makes up for half of it.
    assert right.mean - wrong.mean > 40
    seeds = np.arange(5)
    assert np.all(
        trained.score(x[:5], seeds=seeds, num_samples=20, condition=y[:5])
        > trained.score(x[:5], seeds=seeds, num_samples=20, condition=1 - y[:5])
    )


@pytest.mark.parametrize("network", [kv.networks.MLP, kv.networks.ConvEncoder])
def test_a_vector_condition_with_either_network(network, two_classes):
    x, y = two_classes
    built = network([8]) if network is kv.networks.MLP else network([4], units=8)
    vae = model(kv.conditions.Vector(3), network=built)
    vectors = np.stack([y, 1 - y, np.zeros(200)], axis=1).astype(np.float32)
    vae.compile(jit_compile=False)
    vae.fit(x, vectors, epochs=1, verbose=0)
    assert vae.sample(2, condition=[0.5, 0.5, 0.0]).shape == (2, 8, 8, 1)
    assert vae.sample(2, condition=vectors[:2]).shape == (2, 8, 8, 1)


def test_any_keras_model_takes_the_condition_as_channels(two_classes):
    x, y = two_classes
    network = keras.Sequential([keras.layers.Conv2D(4, 3, strides=2), keras.layers.Flatten()])
    vae = model(kv.conditions.Label(2), network=network)
    assert network.input_shape == (None, 8, 8, 3)
    vae.compile(jit_compile=False)
    vae.fit(x, y, epochs=1, verbose=0)


def test_one_row_gets_the_same_latent_in_any_batch(trained):
    seeds, labels = np.array([7, 8, 9]), np.array([1, 0, 1])
    together = trained.generate(seeds, condition=labels)["z"].numpy()
    for i in range(3):
        np.testing.assert_array_equal(
            trained.generate(seeds[i : i + 1], condition=labels[i : i + 1])["z"][0], together[i]
        )


def test_one_condition_for_all_rows(trained, two_classes):
    x, z, seeds, ones = two_classes[0][:3], np.zeros([3, 2], np.float32), np.arange(3), np.ones(3, int)
    np.testing.assert_array_equal(trained.encode(x, condition=1)["mean"], trained.encode(x, condition=ones)["mean"])
    np.testing.assert_array_equal(trained.decode(z, condition=1)["mean"], trained.decode(z, condition=ones)["mean"])
    np.testing.assert_array_equal(trained.reconstruct(x, condition=1), trained.reconstruct(x, condition=ones))
    np.testing.assert_array_equal(
        trained.generate(seeds, condition=1)["z"], trained.generate(seeds, condition=ones)["z"]
    )
    np.testing.assert_array_equal(
        trained.score(x, seeds=seeds, num_samples=2, condition=1),
        trained.score(x, seeds=seeds, num_samples=2, condition=ones),
    )


@pytest.mark.parametrize("bad", [2, -1, 1.5, [0, 1], [[0], [1], [1]], np.eye(2)[[0, 1, 1]], float("nan")])
def test_no_method_answers_for_a_bad_condition(trained, two_classes, bad):
    x, z, seeds = two_classes[0][:3], np.zeros([3, 2], np.float32), np.arange(3)
    for call in (
        lambda: trained.encode(x, condition=bad),
        lambda: trained.decode(z, condition=bad),
        lambda: trained.reconstruct(x, condition=bad),
        lambda: trained.generate(seeds, condition=bad),
        lambda: trained.score(x, seeds=seeds, num_samples=2, condition=bad),
        lambda: trained.posterior(x, condition=bad),
        lambda: trained.log_weights(x, 2, condition=bad),
        lambda: trained.sample(3, condition=bad),
    ):
        with pytest.raises(ValueError, match=r"condition: expected .*, received"):
            call()


def test_an_export_refuses_a_bad_condition(trained, tmp_path):
    trained.export(tmp_path / "1", score_samples=2)
    generate = tf.saved_model.load(str(tmp_path / "1")).signatures["generate"]
    assert generate(seed=tf.constant([1, 2], tf.int64), condition=tf.constant([0, 1], tf.int64))["z"].shape == (2, 2)
    for bad in ([0, 2], [-1, 0], [1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="condition: expected"):
            generate(seed=tf.constant([1, 2], tf.int64), condition=tf.constant(bad, tf.int64))


def test_training_reaches_the_priors_network():
    network = keras.Sequential([keras.layers.Dense(4), keras.layers.Dropout(0.9)])
    vae = model(kv.conditions.Label(2), kv.ConditionalPrior(network, kv.families.Normal(2)))
    still, dropped = (vae.prior_distribution(training=t, condition=[0, 1]).mean().numpy() for t in (False, True))
    assert np.any(still != dropped)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda vae, x, y: vae.fit(x), r"y: expected the condition .* Use fit\(x, y\)"),
        (
            lambda vae, x, y: vae.fit(x, y + 1),
            "y: expected every label an integer from 0 to 1 for a condition, received 2",
        ),
        (lambda vae, x, y: vae.fit(x, y[:5]), r"y: expected shape \(200,\), received \(5,\)"),
        (lambda vae, x, y: vae.fit(x, np.eye(2)[y]), r"expected shape \(200,\).* Use numpy.argmax"),
        (lambda vae, x, y: vae.fit(x, y.astype(str)), "y: expected numbers, received dtype string"),
        (lambda vae, x, y: vae.fit(x, y + 0.5), r"received 0\.5"),
        (lambda vae, x, y: vae.fit(tf.data.Dataset.from_tensor_slices(x).batch(9)), r"expected batches of \(x, y\)"),
        (
            lambda vae, x, y: vae.fit(tf.data.Dataset.from_tensor_slices((x, y * 3)).batch(9)),
            "for a condition, received 3",
        ),
        (lambda vae, x, y: vae.sample(3), "condition: expected .* Pass condition=y"),
        (lambda vae, x, y: vae.sample(3, condition=2), "condition: expected .*, received 2"),
        (lambda vae, x, y: vae.sample(3, condition=[0, 1]), r"condition: expected .*, received shape \(2,\)"),
        (lambda vae, x, y: vae.encode(x), r"condition: expected every label .*, received None\. Pass condition=y"),
        (lambda vae, x, y: vae.evaluate(x), "y: expected the condition"),
    ],
)
def test_bad_conditions_are_refused(trained, two_classes, call, message):
    with pytest.raises(ValueError, match=message):
        call(trained, *two_classes)


def test_models_without_a_condition_take_none(binary_images):
    vae = model(None)
    with pytest.raises(ValueError, match="condition: expected None for an unconditional model, received a value"):
        vae.sample(3, condition=1)
    with pytest.raises(
        ValueError, match="condition: expected one, since the prior ConditionalPrior depends on it, received None"
    ):
        model(None, kv.ConditionalPrior(kv.networks.MLP([8]), kv.families.Normal(2)))
    with pytest.raises(TypeError, match=r"VAE: condition: expected a keras_vae .*Condition.*, received 'label'"):
        model("label")
    vae.compile(jit_compile=False)
    vae.fit(binary_images, np.arange(64), verbose=0)  # y is ignored


@pytest.mark.parametrize("make", [kv.conditions.Label, kv.conditions.Vector])
@pytest.mark.parametrize("size", [0, -1, 2.5, "3"])
def test_bad_sizes_are_refused(make, size):
    with pytest.raises(ValueError, match="expected a positive integer, received"):
        make(size)
