import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from importlib import resources

import numpy as np
import pytest

import keras_vae as kv
from keras_vae.data.examples import Column, Examples
from keras_vae.explore import Explorer, ExploreServer, ModelSource, SourceError
from keras_vae.explore.document import SCRIPTS
from keras_vae.explore.server import Application
from tests.explore.asking import TOKEN, ask, fine, refused, unpacked


@pytest.fixture(scope="module")
def vae():
    return kv.models.vae((8, 8, 1), latent_size=3, hidden=[16])


@pytest.fixture(scope="module")
def examples(binary_images):
    return Examples((binary_images * 250).astype(np.uint8), np.arange(64, dtype=np.int32) % 3, "bars")


@pytest.fixture(scope="module")
def app(vae, examples):
    return Application(Explorer(ModelSource(vae, "tiny <b>", "a test"), examples), TOKEN, "127.0.0.1")


# Who may ask.


@pytest.mark.parametrize("token", [None, "", "wrong", "righ", "right ", "righté"])
@pytest.mark.parametrize("path", ["/", "/api/model", "/api/decode", "/nothing"])
def test_without_the_token_everything_is_forbidden(app, path, token):
    status, _, answer = ask(app, path, token=token)
    assert status == 403
    assert "token" in str(answer)


def test_the_token_may_be_in_the_url(app):
    assert ask(app, "/", token=None, query=f"token={TOKEN}")[0] == 200
    assert ask(app, "/", token=None, query="token=wrong")[0] == 403


def test_the_token_is_compared_in_constant_time(app, monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *pair: compared.append(pair) or pair[0] == pair[1])
    assert ask(app, "/", token="wrong")[0] == 403
    assert compared == [(b"wrong", TOKEN.encode())]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8888", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_other_host_names_are_forbidden(app, host):
    # DNS rebinding: a site whose name resolves to 127.0.0.1.
    status, _, answer = ask(app, "/", host=host)
    assert status == 403
    assert "Host" in answer


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "127.0.0.1", "[::1]:8888", "127.0.0.1:80"])
def test_names_of_this_machine_are_admitted(app, host):
    assert ask(app, "/", host=host)[0] == 200


def test_over_http(vae):
    with ExploreServer(Explorer(ModelSource(vae, "tiny", "a test"))) as server:
        assert server.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(server.url) as answer:
            assert b"<!doctype html>" in answer.read()
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(server.url.partition("?")[0])
        assert caught.value.code == 403
        with pytest.raises(OSError, match="expected a free address"):
            ExploreServer(Explorer(ModelSource(vae, "tiny", "a test")), port=server.port)


# The document.


def test_the_page_is_one_file_that_runs_its_own_script_alone(app):
    _, headers, page = ask(app, "/")
    assert not re.search(r"""https?://|\bsrc=|<link(?! rel="icon" href="data:,")|@import|url\(""", page)
    assert "tiny &lt;b&gt;" in page
    assert "tiny <b>" not in page
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    for tag in ("script", "style"):
        part = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert headers["Referrer-Policy"] == "no-referrer"


def test_no_script_is_left_out():
    folder = resources.files("keras_vae.explore") / "page"
    assert {each.name for each in folder.iterdir()} == {*SCRIPTS, "page.html", "page.css"}


@pytest.mark.skipif(shutil.which("node") is None, reason="Node reads the script")
def test_the_script_is_one_that_a_browser_can_read(app, tmp_path):
    script = re.search("<script>(.*?)</script>", ask(app, "/")[2], re.DOTALL)[1]
    (tmp_path / "page.js").write_text(script)
    result = subprocess.run(["node", "--check", tmp_path / "page.js"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


# What the model says.


def test_latents_are_in_the_order_of_the_models_own_kl(app, vae, binary_images):
    found = fine(app, "/api/model")
    assert found["event_shape"] == [8, 8, 1]
    assert (found["low"], found["high"]) == (0, 1)
    assert found["likelihood"] == "Bernoulli"
    nats = [latent["kl"] for latent in found["latents"]]
    assert nats == sorted(nats, reverse=True)
    inference = vae.infer((binary_images > 0.5).astype("float32"))
    expected = np.mean(inference.densities(inference.draw(1, 0)).kl_per_latent["z"], axis=0)
    assert {latent["label"]: latent["kl"] for latent in found["latents"]} == pytest.approx(
        {f"z{i}": float(kl) for i, kl in enumerate(expected)}, rel=1e-4
    )
    assert all(latent["exact"] and latent["kind"] == "real" for latent in found["latents"])
    assert [(latent["low"], latent["middle"], latent["high"]) for latent in found["latents"]] == [(-3, 0, 3)] * 3


def test_decode_encode_and_generate_are_the_models(app, vae, binary_images):
    z = np.random.default_rng(0).normal(size=[5, 3]).astype("float32")
    found = fine(app, "/api/decode", {"z": z.tolist()})
    np.testing.assert_allclose(unpacked(found["mean"]), vae.decode(z)["mean"], atol=1e-6)
    packed = {"shape": [5, 3], "float32": base64.b64encode(z.tobytes()).decode()}
    assert fine(app, "/api/decode", {"z": packed}) == found

    x = binary_images[3]
    found = fine(app, "/api/encode", {"x": x.tolist()})
    codes = vae.encode(x[None])
    np.testing.assert_allclose(unpacked(found["z"]), codes["mean"], atol=1e-6)
    np.testing.assert_allclose(unpacked(found["scale"]), codes["scale"], atol=1e-6)
    np.testing.assert_allclose(unpacked(found["mean"]), vae.reconstruct(x[None]), atol=1e-6)

    found = fine(app, "/api/generate", {"seed": 7})
    np.testing.assert_array_equal(unpacked(found["z"]), vae.generate([7])["z"])


def test_gray_pixels_are_binarized_for_a_bernoulli_likelihood(app):
    gray = np.linspace(0, 1, 64).reshape(8, 8, 1)
    found = fine(app, "/api/encode", {"x": gray.tolist()})
    np.testing.assert_array_equal(unpacked(found["x"]), gray > 0.5)


def test_data_is_encoded(app, vae):
    found = fine(app, "/api/data")
    assert found["name"] == "bars"
    assert found["labels"] == [i % 3 for i in range(64)]
    x = unpacked(fine(app, "/api/data", query="index=5")["x"])
    np.testing.assert_allclose(unpacked(found["z"])[5:6], vae.encode(x[None])["mean"], atol=1e-6)


def test_data_of_another_shape_is_named_on_the_page(vae):
    other = Examples(np.zeros([4, 5, 5, 1], np.uint8), None, "squares")
    app = Application(Explorer(ModelSource(vae, "tiny", "a test"), other), TOKEN, "127.0.0.1")
    found = fine(app, "/api/model")
    assert found["data"] is None
    assert found["note"].startswith("squares does not fit the model: expected examples of shape (8, 8, 1)")
    assert "squares" in refused(app, "/api/data")
    assert len(found["latents"]) == 3  # measured on draws of the model


@pytest.mark.parametrize(
    ("path", "body", "line"),
    [
        ("/api/decode", {}, "z: expected finite numbers of shape [n, 3], received none"),
        ("/api/decode", {"z": [[1, 2]]}, "received shape [1, 2]"),
        ("/api/decode", {"z": [[1, 2], [3]]}, "lists of numbers of equal lengths"),
        ("/api/decode", {"z": "zero"}, "received other values"),
        ("/api/decode", {"z": [[0, 0, "1"]]}, "received other values"),
        ("/api/decode", {"z": []}, "received shape [0]"),
        ("/api/decode", {"z": [[0, 0, float("nan")]]}, "received nan"),
        ("/api/decode", {"z": [[0, 0, 1e60]]}, "received inf"),
        ("/api/decode", {"z": {"shape": [1, 3], "float32": "AAAA"}}, "base64"),
        ("/api/decode", {"z": {"shape": [1, -3], "float32": ""}}, "base64"),
        ("/api/decode", {"z": {"shape": [1, 3]}}, "base64"),
        ("/api/decode", {"z": {"shape": [300000, 3], "float32": base64.b64encode(bytes(3600000)).decode()}}, "Divide"),
        ("/api/decode", {"z": [[0, 0, 0]], "condition": 1}, "condition: expected none"),
        ("/api/decode", {"z": [[0, 0, 0]], "moved": "y"}, "moved: expected one of z"),
        ("/api/decode", {"z": [[0, 0, 0]], "moved": []}, "moved: expected one of z"),
        ("/api/encode", {"x": [[0]]}, "x: expected finite numbers of shape [8, 8, 1]"),
        ("/api/generate", {"seed": 1.5}, "seed: expected an integer of up to 64 bits, received 1.5"),
        ("/api/generate", {"seed": True}, "received True"),
        ("/api/generate", {"seed": 2**63}, "received 9223372036854775808"),
        ("/api/generate", {}, "received None"),
        ("/api/generate", [1], "body: expected a JSON object"),
    ],
)
def test_bad_requests_get_one_clear_line(app, path, body, line):
    assert line in refused(app, path, body)


def test_other_paths_methods_and_bodies(app):
    assert "path: expected" in refused(app, "/api/nothing", status=404)
    assert ask(app, "/index.html")[0] == 404
    assert "method: expected POST, received GET" in refused(app, "/api/decode", status=405)
    assert ask(app, "/api/model", {}, method="DELETE")[0] == 405
    assert "body" in refused(app, "/api/decode", raw=b"{", method="POST")
    assert "body" in refused(app, "/api/decode", raw=b"[" * 100000, method="POST")
    assert "index: expected 0 to 63" in refused(app, "/api/data", query="index=64")
    assert "index: expected an integer" in refused(app, "/api/data", query="index=-1")


@pytest.mark.parametrize(
    ("error", "status"), [(SourceError("the server is away"), 502), (KeyError("a secret path"), 500)]
)
def test_errors_of_the_model_are_one_line_without_a_stack_trace(app, vae, error, status, monkeypatch):
    def fail(*_):
        raise error

    explorer = Explorer(ModelSource(vae, "tiny", "a test"))
    monkeypatch.setattr(explorer, "decode", fail)
    line = refused(Application(explorer, TOKEN, "127.0.0.1"), "/api/decode", {}, status=status)
    assert "Traceback" not in line
    assert "secret" not in line


# Other data.


def test_vectors_and_tables():
    vae = kv.models.vae((4,), likelihood="normal", latent_size=2, hidden=[8])
    rows = np.random.default_rng(0).normal(3, 2, [20, 4]).astype("float32")
    columns = (Column("size", "real", 0), Column("kind", "category", 1, ("a", "b", "c")))
    app = Application(
        Explorer(ModelSource(vae, "table", "a test"), Examples(rows, None, "things", columns=columns)), TOKEN, "::1"
    )
    found = fine(app, "/api/model")
    assert [column["name"] for column in found["columns"]] == ["size", "kind"]
    assert found["columns"][1]["vocabulary"] == ["a", "b", "c"]
    assert found["low"] <= rows.min()
    assert found["high"] >= rows.max()
    np.testing.assert_array_equal(unpacked(fine(app, "/api/data", query="index=0")["x"]), rows[0])
    assert json.dumps(found, allow_nan=False)
