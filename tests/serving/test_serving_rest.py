"""REST over HTTP, with a model that only records and echoes."""

import numpy as np
import pytest
import tensorflow as tf
from serving_rest_testing import PREDICT, FakeModel, ask, serve


@pytest.fixture
def model():
    return FakeModel(x=tf.float32)


@pytest.fixture
def rest(model):
    with serve(model) as rest:
        yield rest


def test_rows_and_columns(rest):
    x = [[0.5, 1.0], [2.0, 0.1]]
    assert ask(rest, PREDICT, {"instances": x}).json == {"predictions": x}
    assert ask(rest, PREDICT, {"instances": [{"x": row} for row in x]}).json == {"predictions": x}
    assert ask(rest, PREDICT, {"inputs": x}).json == {"outputs": x}
    assert ask(rest, PREDICT, {"inputs": {"x": x}}).json == {"outputs": x}
    assert ask(rest, PREDICT, {"inputs": 0.1}).json == {"outputs": 0.1}


def test_several_outputs(rest, model):
    model.answer = lambda request: {"b": np.array([[1, 2], [3, 4]]), "a": np.array([True, False])}
    rows = ask(rest, PREDICT, {"instances": [1.0, 2.0]}).json
    assert rows == {"predictions": [{"a": True, "b": [1, 2]}, {"a": False, "b": [3, 4]}]}
    columns = ask(rest, PREDICT, {"inputs": [1.0, 2.0]}).json
    assert columns == {"outputs": {"a": [True, False], "b": [[1, 2], [3, 4]]}}


def test_several_inputs(rest, model):
    model.signatures = {"mix": {"x": tf.float32, "n": tf.int64, "w": tf.string, "ok": tf.bool}}
    row = {"x": [0.25, 3], "n": 2**63 - 1, "w": "é", "ok": True}
    reply = ask(rest, PREDICT, {"signature_name": "mix", "instances": [row, row]})
    assert reply.json == {"predictions": [row | {"x": [0.25, 3.0]}] * 2}
    (request,) = model.requests
    assert request.model_spec.signature_name == "mix"
    arrays = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        "x": (np.float32, (2, 2)),
        "n": (np.int64, (2,)),
        "w": (object, (2,)),
        "ok": (np.bool_, (2,)),
    }
    assert arrays["w"].tolist() == ["é".encode()] * 2


def test_what_the_path_names(rest, model):
    specs = []
    for path in ("vae", "vae/versions/7", "vae/labels/a%20b", "v%61e"):
        assert ask(rest, f"/v1/models/{path}:predict", {"inputs": 1.0}).status == 200
        specs.append(model.requests[-1].model_spec)
    assert [spec.name for spec in specs] == ["vae"] * 4
    assert [spec.WhichOneof("version_choice") for spec in specs] == [None, "version", "version_label", None]
    assert (specs[1].version.value, specs[2].version_label) == (7, "a b")
    ask(rest, "/v1/models/vae/versions/7")
    assert model.requests[-1].model_spec.version.value == 7
    assert ask(rest, f"http://127.0.0.1:{rest.port}{PREDICT}", {"inputs": 1.0}).json == {"outputs": 1.0}


def test_each_label_and_version_has_its_dtypes(rest, model):
    for dtype, path in ((tf.float32, "vae"), (tf.int32, "vae/labels/next"), (tf.bool, "vae/versions/7")):
        model.signatures = {"serving_default": {"x": dtype}}
        value = {tf.float32: 1.5, tf.int32: 1, tf.bool: True}[dtype]
        assert ask(rest, f"/v1/models/{path}:predict", {"inputs": value}).json == {"outputs": value}
    assert [tf.as_dtype(request.inputs["x"].dtype) for request in model.requests] == [tf.float32, tf.int32, tf.bool]


def test_a_new_version_with_other_dtypes(rest, model):
    assert ask(rest, PREDICT, {"inputs": 1}).json == {"outputs": 1.0}
    model.version, model.signatures = 6, {"serving_default": {"x": tf.int64}}
    assert ask(rest, PREDICT, {"inputs": 2**53 + 1}).json == {"outputs": 2**53 + 1}
    assert ask(rest, PREDICT, {"inputs": 1.5}).status == 400
    model.version, model.signatures = 7, {"serving_default": {"x": tf.int64}, "new": {"x": tf.int64}}
    assert ask(rest, PREDICT, {"inputs": 3, "signature_name": "new"}).json == {"outputs": 3}
    assert model.answered_by == [5, 6, 7]


def test_the_version_whose_dtypes_read_the_body_answers(rest, model):
    find = model.find

    def find_and_replace(spec):
        found = find(spec)
        model.version, model.signatures = 6, {"serving_default": {"x": tf.int32}}
        return found

    model.find = find_and_replace
    assert ask(rest, PREDICT, {"inputs": [1, 2]}).body == b'{\n    "outputs": [1.0,2.0]\n}'
    assert ask(rest, PREDICT, {"inputs": [1, 2]}).body == b'{\n    "outputs": [1,2]\n}'
    assert model.answered_by == [5, 6]


def test_classify_and_regress(rest, model):
    body = {
        "signature_name": "s",
        "context": {"common": [1, 2]},
        "examples": [{"f": 0.5, "i": [True, 2**63 - 1], "w": ["a", {"b64": "/w=="}]}, {"empty": []}],
    }
    reply = ask(rest, "/v1/models/vae:classify", body)
    assert reply.json == {"results": [[["é", 0.1]], [["é", 1.0]]]}
    (request,) = model.requests
    assert request.model_spec.signature_name == "s"
    examples = request.input.example_list_with_context
    assert examples.context.features.feature["common"].int64_list.value == [1, 2]
    features = examples.examples[0].features.feature
    assert features["f"].float_list.value == [0.5]
    assert features["i"].int64_list.value == [1, 2**63 - 1]
    assert features["w"].bytes_list.value == [b"a", b"\xff"]
    assert examples.examples[1].features.feature["empty"].WhichOneof("kind") is None
    reply = ask(rest, "/v1/models/vae:regress", {"examples": [{"f": 1.0}]})
    assert reply.body == b'{\n    "results": [0.1,2.0,NaN]\n}'
    assert len(model.requests[-1].input.example_list.examples) == 1


def test_status_and_metadata(rest):
    reply = ask(rest, "/v1/models/vae")
    assert reply.json == {
        "model_version_status": [
            {"version": "5", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    described = ask(rest, "/v1/models/vae/metadata").json
    assert described["model_spec"] == {"name": "vae", "signature_name": "", "version": "5"}
    inputs = described["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
    assert inputs["x"]["dtype"] == "DT_FLOAT"
