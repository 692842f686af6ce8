"""REST and gRPC on the same model give the same answers and errors."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_rest_testing import PREDICT, ask, serve
from serving_testing import EVENT, SEEDS, X, metadata_request, predict_request, refusal, status_request


@pytest.fixture(scope="module")
def rest(server):
    with serve(server.methods) as rest:
        yield rest


def test_the_same_seed_gives_the_same_bits(rest, stubs):
    seeds = [*SEEDS.tolist(), 2**63 - 1, -(2**63)]
    wanted = stubs.predict(predict_request(seed=np.array(seeds, np.int64))).outputs
    columns = ask(rest, PREDICT, {"inputs": seeds}).json["outputs"]
    rows = ask(rest, PREDICT, {"instances": [{"seed": seed} for seed in seeds]}).json["predictions"]
    for name in ("mean", "z"):
        array = tf.make_ndarray(wanted[name])
        assert np.float32(columns[name]).tobytes() == array.tobytes()
        assert np.float32([row[name] for row in rows]).tobytes() == array.tobytes()


def test_several_inputs(rest, stubs):
    x = X.tolist()
    wanted = tf.make_ndarray(stubs.predict(predict_request("score", x=X, seed=np.array([3, 4]))).outputs.popitem()[1])
    rows = [{"x": x[0], "seed": 3}, {"x": x[1], "seed": 4}]
    body = {"signature_name": "score", "instances": rows}
    assert np.float32(ask(rest, PREDICT, body).json["predictions"]).tobytes() == wanted.tobytes()


def test_strings_and_scalars(rest):
    body = {"signature_name": "join", "inputs": ["a", {"b64": "w6k="}]}
    assert ask(rest, PREDICT, body).json == {"outputs": {"count": 2, "joined": ["a-a", "é-é"]}}
    assert ask(rest, PREDICT, {"signature_name": "total", "inputs": [[1, 2]]}).json == {"outputs": 3.0}


def test_infinity_and_nan(rest):
    body = {"signature_name": "total", "inputs": [[float("inf"), 1.0]]}
    assert ask(rest, PREDICT, body).body == b'{\n    "outputs": Infinity\n}'


@pytest.mark.parametrize(
    ("path", "body", "request_"),
    [
        ("nope", {"inputs": [1]}, predict_request(model="nope", seed=np.array([1]))),
        (
            "vae",
            {"signature_name": "encode", "inputs": [[1.0]]},
            predict_request("encode", x=np.ones([1, 1], np.float32)),
        ),
        (
            "vae",
            {"signature_name": "multiply", "inputs": [[1.0]]},
            predict_request("multiply", table=np.ones([1, 1], np.float32)),
        ),
    ],
)
def test_the_same_errors(rest, stubs, path, body, request_):
    code, details = refusal(stubs.predict, request_)
    reply = ask(rest, f"/v1/models/{path}:predict", body)
    assert reply.status == (404 if code is grpc.StatusCode.NOT_FOUND else 400)
    assert reply.error == details


def test_unknown_version(rest):
    for version in (0, 4):
        reply = ask(rest, f"/v1/models/vae/versions/{version}:predict", {"inputs": [1]})
        assert (reply.status, reply.error) == (404, f"Servable not found for request: Specific(vae, {version})")
    assert ask(rest, "/v1/models/vae/versions/5:predict", {"inputs": [1]}).status == 200
    reply = ask(rest, "/v1/models/vae/labels/stable:predict", {"inputs": [1]})
    assert (reply.status, reply.error) == (400, "Unrecognized servable version label: stable")


def test_status(rest, stubs):
    (status,) = stubs.status(status_request()).model_version_status
    (shown,) = ask(rest, "/v1/models/vae").json["model_version_status"]
    assert shown == {
        "version": str(status.version),
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    code, details = refusal(stubs.status, status_request("nope"))
    reply = ask(rest, "/v1/models/nope")
    assert (code, reply.status, reply.error) == (grpc.StatusCode.NOT_FOUND, 404, details)


def test_metadata(rest, stubs):
    stubs.metadata(metadata_request("signature_def"))
    described = ask(rest, "/v1/models/vae/metadata").json
    assert described["model_spec"] == {"name": "vae", "signature_name": "", "version": "5"}
    encode = described["metadata"]["signature_def"]["signature_def"]["encode"]
    assert encode["inputs"]["x"]["dtype"] == "DT_FLOAT"
    dims = encode["inputs"]["x"]["tensor_shape"]["dim"]
    assert [dim["size"] for dim in dims] == ["-1", str(EVENT)]
    assert ask(rest, "/v1/models/nope/metadata").status == 404


def test_classify_on_a_signature_that_does_not(rest):
    for method in ("classify", "regress"):
        reply = ask(rest, f"/v1/models/vae:{method}", {"examples": [{"x": 1.0}]})
        assert reply.status == 400
        assert reply.error
