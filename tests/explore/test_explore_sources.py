import numpy as np
import pytest
import tensorflow as tf

import keras_vae as kv
from keras_vae import cli
from keras_vae.cli.explore import ServedSource, explorer_of
from keras_vae.cli.options import Explore
from keras_vae.data.examples import Examples
from keras_vae.explore import Explorer, ExportSource, ModelSource, SourceError
from keras_vae.explore.latents import describe
from keras_vae.explore.server import Application
from serving import Client, Server
from tests.explore.asking import TOKEN, fine, refused, unpacked


@pytest.fixture(scope="module")
def labeled(binary_images):
    """A model that is conditional on one of three labels, and its data."""
    model = kv.models.make("cvae", (8, 8, 1), classes=3, latent_size=2, hidden=[16])
    return model, Examples((binary_images * 250).astype(np.uint8), np.arange(64, dtype=np.int32) % 3, "bars")


@pytest.fixture(scope="module")
def export(labeled, tmp_path_factory):
    return labeled[0].export(tmp_path_factory.mktemp("models") / "bars" / "1")


def app_of(source, examples=None):
    return Application(Explorer(source, examples), TOKEN, "127.0.0.1")


def test_a_label_is_a_control(labeled):
    model, examples = labeled
    app = app_of(ModelSource(model, "bars", "a test"), examples)
    assert fine(app, "/api/model")["condition"] == {"kind": "label", "classes": 3, "size": 1}
    z = [[0.5, -0.5], [0, 0]]
    found = fine(app, "/api/decode", {"z": z, "condition": 2})
    np.testing.assert_allclose(
        unpacked(found["mean"]), model.decode(np.float32(z), condition=[2, 2])["mean"], atol=1e-6
    )
    for wrong in (3, -1, 1.5, None, True, [1], "1"):
        line = refused(app, "/api/generate", {"seed": 0, "condition": wrong})
        assert line.startswith("condition: expected a label from 0 to 2, received")
    # Each example is encoded with its own label.
    x = unpacked(fine(app, "/api/data", query="index=4")["x"])
    np.testing.assert_allclose(
        unpacked(fine(app, "/api/data")["z"])[4:5], model.encode(x[None], condition=[1])["mean"], atol=1e-6
    )


def test_a_vector_is_a_control():
    model = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP([8]), kv.families.Normal(2)),
        decoder=kv.Decoder(kv.networks.MLP([8]), kv.families.Normal((4,))),
        condition=kv.conditions.Vector(2),
    )
    rows = Examples(np.zeros([4, 4], np.float32), None, "rows")
    app = app_of(ModelSource(model, "curves", "a test"), rows)
    found = fine(app, "/api/model")
    assert found["condition"] == {"kind": "vector", "classes": None, "size": 2}
    assert "no condition" in found["note"]
    given = fine(app, "/api/generate", {"seed": 3, "condition": [0.5, 1]})
    expected = model.generate([3], condition=np.float32([[0.5, 1]]))
    np.testing.assert_allclose(unpacked(given["mean"]), expected["mean"], atol=1e-6)
    assert "shape [2]" in refused(app, "/api/generate", {"seed": 3, "condition": [1]})


@pytest.mark.parametrize("served", [pytest.param(False, marks=pytest.mark.stress), True])
def test_an_export_and_a_server_answer_as_the_model_does(labeled, export, served, request):
    model, examples = labeled
    if served:
        server = request.getfixturevalue("server")
        source = ServedSource(Client(f"127.0.0.1:{server.port}", model="bars"), "bars", "here")
    else:
        source = ExportSource(export.parent)
    app, own = app_of(source, examples), app_of(ModelSource(model, "bars", "a test"), examples)
    described, expected = fine(app, "/api/model"), fine(own, "/api/model")
    # A server is not asked for labels that it must refuse: those of the data are known.
    assert described["condition"] == expected["condition"]
    assert [each["label"] for each in described["latents"]] == [each["label"] for each in expected["latents"]]
    assert not any(latent["exact"] for latent in described["latents"])
    for path, body in (
        ("/api/decode", {"z": [[0.3, 0.1]], "condition": 1}),
        ("/api/encode", {"x": (examples.images[0] / 255).tolist(), "condition": 2}),
        ("/api/generate", {"seed": 5, "condition": 0}),
    ):
        found, wanted = fine(app, path, body), fine(own, path, body)
        for name in wanted:
            np.testing.assert_allclose(unpacked(found[name]), unpacked(wanted[name]), atol=1e-5)
    # Binarized, since it refuses gray pixels.
    assert set(np.unique(unpacked(fine(app, "/api/data", query="index=0")["x"]))) == {0.0, 1.0}


@pytest.fixture(scope="module")
def server(export):
    with Server(model_name="bars", model_base_path=export.parent, port=0) as server:
        yield server


def test_a_server_that_is_away_is_one_line():
    with pytest.raises(SourceError, match="UNAVAILABLE") as caught:
        ServedSource(Client("127.0.0.1:1", model="bars", timeout=0.2), "bars", "127.0.0.1:1")
    assert "\n" not in str(caught.value)


def test_groups_follow_the_one_that_moves(binary_images):
    model = kv.models.vae((8, 8, 1), latent_size=[3, 2], hidden=[16])
    app = app_of(ModelSource(model, "two", "a test"), Examples((binary_images * 250).astype(np.uint8), None, "bars"))
    found = fine(app, "/api/model")
    assert found["groups"] == {"z1": [3], "z2": [2]}
    assert found["unseen"] == {"z2": True}
    assert {latent["label"]: latent["start"] for latent in found["latents"]} == {
        **{f"z1[{i}]": i for i in range(3)},
        **{f"z2[{i}]": 3 + i for i in range(2)},
    }
    z = np.float32([[0.1, 0.2, 0.3, 1.0, -1.0]])
    still = fine(app, "/api/decode", {"z": z.tolist()})
    np.testing.assert_array_equal(unpacked(still["z"]), z)
    given = {"z1": z[:, :3], "z2": z[:, 3:]}
    np.testing.assert_allclose(unpacked(still["mean"]), model.decode(given)["mean"], atol=1e-6)
    moved = unpacked(fine(app, "/api/decode", {"z": z.tolist(), "moved": "z2"})["z"])
    np.testing.assert_array_equal(moved[:, 3:], z[:, 3:])
    inference = model.inference_at(np.zeros([1, 8, 8, 1], "float32"))
    prior = inference.densities({name: value[None] for name, value in given.items()}).prior["z1"]
    np.testing.assert_allclose(moved[:, :3], prior.mean()[0], atol=1e-5)
    # The last group in the prior's order moves alone.
    np.testing.assert_array_equal(unpacked(fine(app, "/api/decode", {"z": z.tolist(), "moved": "z1"})["z"]), z)


def test_categories_are_chosen(binary_images):
    model = kv.models.make("gumbel", (8, 8, 1), latent_size=3, hidden=[16])
    app = app_of(ModelSource(model, "codes", "a test"), Examples((binary_images * 250).astype(np.uint8), None, "bars"))
    found = fine(app, "/api/model")
    assert found["latent_size"] == 30
    assert {(latent["kind"], latent["size"], latent["high"]) for latent in found["latents"]} == {("category", 10, 9)}
    codes = unpacked(fine(app, "/api/data")["z"]).reshape(-1, 3, 10)
    np.testing.assert_array_equal(np.sort(codes, axis=-1), np.broadcast_to([0] * 9 + [1], codes.shape))
    probabilities = model.encode(unpacked(fine(app, "/api/data", query="index=0")["x"])[None])["mean"]
    np.testing.assert_array_equal(codes[0].argmax(-1), np.argmax(probabilities[0], -1))


def test_kl_from_means_and_scales():
    rng = np.random.default_rng(0)
    mean, scale = rng.normal(size=[500, 2]) * [0.9, 0.1], np.tile([0.5, 0.98], [500, 1])
    (first, second) = describe({"z": rng.normal(size=[512, 2])}, {"z": mean}, {"z": scale}, {})
    exact = 0.5 * (mean**2 + scale**2 - 1 - 2 * np.log(scale)).mean(axis=0)
    assert (first.label, second.label) == ("z0", "z1")
    assert (first.kl, second.kl) == pytest.approx(tuple(exact))
    # Bernoulli and categorical latents: from probabilities.
    bits = (rng.random([4000, 1]) < 0.5).astype(float)
    (bit,) = describe({"z": bits}, {"z": np.array([[0.0], [1.0]])}, {"z": np.zeros([2, 1])}, {})
    assert (bit.kind, bit.kl) == ("binary", pytest.approx(np.log(2), abs=0.02))
    hot = np.eye(4)[rng.integers(4, size=[4000, 1])]
    (category,) = describe({"z": hot}, {"z": np.eye(4)[:, None]}, {"z": np.zeros([4, 1, 4])}, {})
    assert (category.kind, category.kl) == ("category", pytest.approx(np.log(4), abs=0.02))
    (unit,) = describe({"z": rng.random([64, 1])}, {"z": rng.random([8, 1])}, {"z": np.ones([8, 1])}, {})
    assert (unit.kind, unit.kl, unit.low, unit.high) == ("unit", None, 0, 1)


def test_sliders_reach_codes_that_the_prior_does_not_cover():
    draws = {"z": np.random.default_rng(0).normal(size=[512, 1])}
    near, far = ({"z": np.linspace(-reach, reach, 101)[:, None]} for reach in (1.0, 5.0))
    ones = {"z": np.ones([101, 1])}
    assert [(each.low, each.high) for each in describe(draws, near, ones, {})] == [(-3, 3)]
    assert [(each.low, each.high) for each in describe(draws, far, ones, {})] == [(-4.9, 4.9)]


def test_another_saved_model_is_refused(tmp_path):
    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    tf.saved_model.save(module, str(tmp_path / "other" / "1"), signatures={"double": module.double})
    with pytest.raises(ValueError, match="expected the signatures generate, encode, decode, received double"):
        explorer_of(str(tmp_path / "other"), Explore())


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["nowhere"], 1, "expected a run directory, a .keras file, an export or HOST:PORT, received none"),
        (["127.0.0.1:1"], 2, "--model: expected the name of the model that 127.0.0.1:1 serves, received none"),
        ([".", "--model", "digits"], 2, "--model: expected none for a path, received digits"),
        (["127.0.0.1:1", "--model", "digits", "--port", "70000"], 2, "expected a port, 0 to 65535, received '70000'"),
    ],
)
def test_wrong_commands_are_one_line(words, code, line, capsys):
    assert cli.main(["explore", *words]) == code
    found = capsys.readouterr().err
    assert line in found
    assert found.count("\n") == 1


def test_a_run_shows_its_own_data(digits, tmp_path):
    run = tmp_path / "bars"
    words = f"train --run {run} --data {digits} --hidden 16 --latent 2 --batch-size 16 --epochs 1".split()
    assert cli.main(words) == 0
    found = explorer_of(str(run), Explore()).model()
    assert found["name"] == "bars"
    assert found["data"] == {"name": f"{digits} (test)", "count": 16}
    digits.unlink()
    found = explorer_of(str(run), Explore()).model()
    assert found["data"] is None
    assert "cannot be read" in found["note"]
    assert "\n" not in found["note"]
    assert "for run directories" in explorer_of(str(run / "model.keras"), Explore()).model()["note"]
