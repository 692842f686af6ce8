"""examples/browser: the client over REST in JavaScript, run by Node against a server, and its page."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from serving_testing import LATENT, SEEDS, X, publish

import serving

FOLDER = Path(serving.__file__).parents[1] / "examples" / "browser"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")

# Asks for what a test passes as JSON, and prints what comes back.
SCRIPT = """
import { Client, ServingError, toPixels } from "CLIENT";
const { address, x, z, seeds, image } = JSON.parse(process.argv[1]);
const client = new Client(address, "vae", { timeout: 60000 });
const found = {
  generated: await client.generate(seeds),
  encoded: await client.encode(x),
  decoded: await client.decode(z),
  one: await client.predict("reconstruct", { x }),
  signatures: Object.keys(await client.signatures()),
  pinned: await new Client(address + "/", "vae", { version: 5, timeout: 60000 }).encode(x),
  pixels: toPixels(image),
  odd: (await client.predict("encode", { x: [[1e39, 0, 0], [0, 0, 0]] })).mean.map((row) => row.map(String)),
};
try {
  await new Client("http://127.0.0.1:1", "vae", { timeout: 1000 }).decode(z);
} catch (error) {
  found.unreachable = [error instanceof ServingError, error.message];
}
try {
  await new Client(address, "vae", { label: "nope", timeout: 60000 }).decode(z);
} catch (error) {
  found.error = [error instanceof ServingError, error.status, error.message];
}
console.log(JSON.stringify(found));
"""


def _node(script, *words):
    command = ["node", "--input-type=module", "--eval", script.replace("CLIENT", (FOLDER / "client.mjs").as_uri())]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_answers_are_those_of_the_grpc_client(exports, tmp_path):
    publish(exports[1], tmp_path / "vae", 5)
    seeds, z = SEEDS[:3], X[:, :LATENT]
    image = [[[0.0], [1.0]], [[0.5], [2.0]]]
    with serving.Server(model_name="vae", model_base_path=tmp_path / "vae", port=0, rest_port=0) as server:
        asked = {"address": f"http://127.0.0.1:{server.rest_port}", "x": X.tolist(), "z": z.tolist()}
        found = _node(SCRIPT, json.dumps(asked | {"seeds": seeds.tolist(), "image": image}))
        with serving.Client(f"127.0.0.1:{server.port}", model="vae", timeout=60) as client:
            expected = {
                "generated": dict(client.generate(seeds)),
                "encoded": dict(client.encode(X)),
                "decoded": client.predict("decode", {"z": z}),
                "one": client.reconstruct(X),
                "pinned": dict(client.encode(X)),
            }
            signatures = set(client.metadata())
    for name, value in expected.items():
        if isinstance(value, dict):
            assert found[name].keys() == value.keys()
            for output, array in value.items():
                np.testing.assert_allclose(found[name][output], array, rtol=1e-5)
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-5)
    assert signatures <= set(found["signatures"])
    assert {"Infinity", "-Infinity", "NaN"} & set(found["odd"][0])  # which JSON has no words for
    is_serving_error, message = found["unreachable"]
    assert is_serving_error
    assert "does not answer" in message
    is_serving_error, status, message = found["error"]
    assert is_serving_error
    assert 400 <= status < 500
    assert message.startswith(f"model 'vae', signature 'decode': HTTP {status}: Unrecognized servable version label")
    gray = [0, 255, 128, 255]
    assert list(found["pixels"]["data"].values()) == [byte for value in gray for byte in (value, value, value, 255)]


REFUSED = """
import http from "node:http";
import { Client } from "CLIENT";
const asked = [];
const server = http.createServer((request, response) => {
  asked.push(Date.now());
  const status = asked.length <= 3 ? [429, 503, 503][asked.length - 1] : 200;
  response.writeHead(status).end(JSON.stringify(status === 200 ? { outputs: 7 } : { error: "busy" }));
});
await new Promise((begun) => server.listen(0, "127.0.0.1", begun));
const address = `http://127.0.0.1:${server.address().port}`;
const answer = await new Client(address, "m", { timeout: 60000 }).decode([[1]]);
const count = asked.length;
asked.length = 0;
server.removeAllListeners("request");
server.on("request", (request, response) => asked.push(0) && response.writeHead(503).end("busy"));
const late = await new Client(address, "m", { timeout: 500 }).decode([[1]]).catch((error) => error.message);
server.close();
console.log(JSON.stringify({ answer, count, late, more: asked.length }));
"""


def test_a_busy_server_is_asked_again_until_the_timeout():
    found = _node(REFUSED)
    assert (found["answer"], found["count"]) == (7, 4)
    assert found["late"] == "model 'm', signature 'decode': HTTP 503: busy"
    assert 1 <= found["more"] <= 5  # pauses of at least 25, 50, 100 and 200 ms


def test_the_page_is_valid_and_uses_what_the_client_exports(tmp_path):
    (script,) = re.findall(r'<script type="module">(.*?)</script>', (FOLDER / "index.html").read_text(), re.DOTALL)
    (tmp_path / "page.mjs").write_text(script)
    assert subprocess.run(["node", "--check", str(tmp_path / "page.mjs")], check=False).returncode == 0
    (names,) = re.findall(r'import \{ (.*?) \} from "./client.mjs"', script)
    exported = re.findall(r"^export (?:class|function) (\w+)", (FOLDER / "client.mjs").read_text(), re.MULTILINE)
    assert set(names.split(", ")) <= set(exported)
