"""One seed, one image: through fit, save, load, export and the server, alone and among 64."""

import keras
import numpy as np
import pytest

import keras_vae as kv
from serving import Client, Server


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A model trained on real digits, with all its later forms."""
    folder = tmp_path_factory.mktemp("line")
    keras.utils.set_random_seed(0)
    data_dir = tmp_path_factory.mktemp("tfds")
    train = kv.data.load("mnist_5k", "train", data_dir=data_dir)
    vae = kv.models.vae((28, 28, 1), latent_size=8, hidden=[64], seed=0)
    vae.compile(keras.optimizers.Adam(1e-3))
    vae.fit(train, epochs=3, verbose=0)
    vae.save(folder / "vae.keras")
    loaded = keras.saving.load_model(folder / "vae.keras")
    loaded.export(folder / "digits" / "1")
    test = next(kv.data.load("mnist_5k", "test", batch_size=64, data_dir=data_dir).as_numpy_iterator())
    with (
        Server(model_name="digits", model_base_path=folder / "digits", port=0) as server,
        Client(f"127.0.0.1:{server.port}", model="digits") as client,
    ):
        client.wait_until_ready(timeout=30)
        yield vae, loaded, client, test


def test_generate(line):
    vae, loaded, client, _ = line
    seeds = np.arange(64)
    live, reloaded, served = vae.generate(seeds), loaded.generate(seeds), client.generate(seeds=seeds)
    np.testing.assert_array_equal(reloaded["z"], live["z"])
    np.testing.assert_array_equal(served.z, live["z"])
    # The same batch size: to the last bit.
    np.testing.assert_array_equal(reloaded["mean"], live["mean"])
    np.testing.assert_array_equal(served.mean, live["mean"])
    for seed in (0, 17, 63):
        alone = client.generate(seeds=[seed])
        np.testing.assert_array_equal(alone.z[0], served.z[seed])
        np.testing.assert_allclose(alone.mean[0], served.mean[seed], atol=1e-5)
        np.testing.assert_array_equal(client.generate(n=1, seed=seed).mean, vae.sample(1, seed=seed))


def test_encode_decode_reconstruct(line):
    vae, _, client, x = line
    encoded = client.encode(x)
    np.testing.assert_allclose(encoded.mean, vae.encode(x)["mean"], atol=1e-5)
    np.testing.assert_allclose(encoded.scale, vae.encode(x)["scale"], atol=1e-5)
    np.testing.assert_allclose(client.decode(encoded.mean), client.reconstruct(x), atol=1e-5)
    np.testing.assert_allclose(client.reconstruct(x), vae.predict(x, verbose=0), atol=1e-5)


def test_score_tells_digits_from_noise(line):
    _, _, client, x = line
    noise = (np.random.default_rng(0).random(x.shape) < x.mean()).astype("float32")
    assert client.score(x).mean() > client.score(noise).mean() + 100
    np.testing.assert_allclose(client.score(x[5:6], seeds=[5])[0], client.score(x)[5], rtol=1e-4)
