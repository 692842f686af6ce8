"""REST: row and column form, classify and regress, status, metadata, metrics, and refusals."""

import json

import numpy as np
import pytest
from interchange_calls import WEIGHTS, X
from prepare import ANIMALS, METRICS

ENCODE = "/v1/models/vae:predict"
ROWS = X.tolist()


def predictions(target, body, path=ENCODE, key="predictions"):
    reply = target.ask(path, body)
    assert reply.status == 200, reply.text
    assert list(reply.json) == [key]
    return reply.json[key]


@pytest.mark.parametrize("instances", [ROWS, [{"x": row} for row in ROWS]], ids=["unnamed", "named"])
def test_rows_with_several_outputs(target, instances):
    rows = predictions(target, {"signature_name": "encode", "instances": instances})
    mean = X @ (2 * WEIGHTS)
    np.testing.assert_allclose([row["mean"] for row in rows], mean, rtol=1e-5)
    np.testing.assert_allclose([row["scale"] for row in rows], np.exp(-np.abs(mean)), rtol=1e-5)


@pytest.mark.parametrize(
    ("path", "version"), [("", 2), ("/versions/1", 1), ("/labels/stable", 1), ("/labels/canary", 2)]
)
def test_rows_with_one_output_of_a_version(target, path, version):
    body = {"signature_name": "multiply", "instances": ROWS}
    rows = predictions(target, body, f"/v1/models/vae{path}:predict")
    np.testing.assert_allclose(rows, X @ (version * WEIGHTS), rtol=1e-5)


@pytest.mark.parametrize("inputs", [ROWS, {"x": ROWS}], ids=["unnamed", "named"])
def test_columns(target, inputs):
    columns = predictions(target, {"signature_name": "encode", "inputs": inputs}, key="outputs")
    np.testing.assert_allclose(columns["mean"], X @ (2 * WEIGHTS), rtol=1e-5)


def test_columns_with_one_output_and_the_default_signature(target):
    table = {"signature_name": "row_sums", "inputs": {"table": ROWS}}
    np.testing.assert_allclose(predictions(target, table, key="outputs"), X.sum(axis=1))
    generated = predictions(target, {"inputs": [3]}, key="outputs")
    np.testing.assert_allclose(generated["z"], [[np.sin(3), np.cos(3)]], rtol=1e-5)


def test_strings(target):
    # An output of strings goes as base64 only if its name ends in _bytes.
    body = {"signature_name": "join", "instances": ["a", {"b64": "Yg=="}]}
    assert predictions(target, body) == ["a-a", "b-b"]


def test_classify_and_regress(target):
    examples = [{"x": [1.0, 2.0]}, {"x": [-1.0, 0.5]}]
    classes = predictions(target, {"examples": examples}, "/v1/models/animals:classify", "results")
    scores = ([9, 12, 15], [1, 0.5, 0])
    assert classes == [[list(pair) for pair in zip(ANIMALS, row, strict=True)] for row in scores]
    body = {"signature_name": "sum", "examples": examples}
    assert predictions(target, body, "/v1/models/animals/versions/7:regress", "results") == [3, -0.5]


def test_status_and_metadata(target):
    found = target.ask("/v1/models/vae").json["model_version_status"]
    # What was served once may be among them.
    assert [one for one in found if one["state"] != "END"] == [
        {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        for version in ("2", "1")
    ]
    (one,) = target.ask("/v1/models/vae/versions/1").json["model_version_status"]
    assert one["version"] == "1"
    metadata = target.ask("/v1/models/vae/metadata").json
    assert metadata["model_spec"] == {"name": "vae", "signature_name": "", "version": "2"}
    assert metadata["metadata"]["signature_def"]["signature_def"]["encode"]["inputs"]["x"]["dtype"] == "DT_FLOAT"


def test_metrics(target):
    predictions(target, {"instances": [1]})
    text = target.ask(METRICS).text
    assert ":tensorflow:serving:request_count" in text
    assert 'model_name="vae"' in text


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/models/nope:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(nope)"),
        ("/v1/models/vae/versions/9:predict", {"instances": [1]}, 404, "Specific(vae, 9)"),
        ("/v1/models/nope", None, 404, "Could not find any versions of model nope"),
        ("/v1/models/vae/versions/9", None, 404, "Could not find version 9 of model vae"),
        ("/v1/models/nope/metadata", None, 404, "Latest(nope)"),
        ("/v1/models/vae/labels/nope:predict", {"instances": [1]}, 400, "Unrecognized servable version label: nope"),
        ("/v1/models/vae:explain", {"instances": [1]}, 400, "Malformed request: POST /v1/models/vae:explain"),
        (ENCODE, b"no json", 400, "JSON Parse error"),
        (ENCODE, {}, 400, "Missing 'inputs' or 'instances' key"),
        (ENCODE, {"instances": [1], "inputs": [1]}, 400, "'inputs' or 'instances'"),
        (ENCODE, {"instances": []}, 400, "'instances'"),
        (ENCODE, {"instances": [1], "signature_name": "nope"}, 400, '"nope" not found'),
        (ENCODE, {"instances": ["a"], "signature_name": "generate"}, 400, "is not of expected type: int64"),
        (ENCODE, {"instances": [[1], [1, 2]], "signature_name": "encode"}, 400, "element: 1"),
        (ENCODE, {"inputs": {"y": [1]}, "signature_name": "score"}, 400, ""),
        (ENCODE, {"inputs": [[1.0] * 7], "signature_name": "multiply"}, 400, "Matrix size-incompatible"),
        ("/v1/models/animals:classify", {"examples": []}, 400, "'examples'"),
    ],
)
def test_refusals(target, path, body, status, words):
    reply = target.ask(path, body)
    assert (reply.status, list(json.loads(reply.text))) == (status, ["error"])
    assert words in reply.json["error"]
