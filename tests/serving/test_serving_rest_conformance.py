"""REST as TensorFlow Serving documents and implements it: one test per behavior, each named by its source.

`api_rest.md` is in its `g3doc`, the C++ files in `model_servers` and `util`.
"""

import json

import numpy as np
import pytest
import tensorflow as tf
from serving_rest_testing import PREDICT, FakeModel, ask, serve

METRICS = "/monitoring/prometheus/metrics"


@pytest.fixture
def model():
    return FakeModel(x=tf.float32)


@pytest.fixture
def rest(model):
    with serve(model, prometheus_path=METRICS, render_metrics=lambda: (b"metrics", "text/plain")) as rest:
        yield rest


def _shapes(model):
    return {
        name: tuple(dim.size for dim in tensor.tensor_shape.dim) for name, tensor in model.requests[-1].inputs.items()
    }


def test_any_shape_reaches_the_graph(rest, model):
    """json_tensor.cc takes shapes from the lists alone, never from the signature."""
    for body, shape in (
        ({"instances": [1.0]}, (1,)),
        ({"instances": [[1.0], [2.0]]}, (2, 1)),
        ({"inputs": [1.0]}, (1,)),
        ({"inputs": 1.0}, ()),
        ({"inputs": {"x": [[[]]]}}, (1, 1, 0)),
    ):
        assert ask(rest, PREDICT, body).status == 200
        assert _shapes(model) == {"x": shape}


def test_keys_of_columns_that_name_no_input_are_ignored(rest):
    """json_tensor.cc, FillTensorMapFromInputsMap."""
    assert ask(rest, PREDICT, {"inputs": {"x": 1, "y": 2}, "more": 3}).json == {"outputs": 1.0}


def test_of_a_key_twice_the_first_counts(rest):
    """RapidJSON's FindMember."""
    assert ask(rest, PREDICT, b'{"inputs": 1, "inputs": 2}').json == {"outputs": 1.0}


def test_columns_may_have_different_first_dimensions(rest, model):
    """api_rest.md, "Specifying input tensors in column format"."""
    model.signatures = {"serving_default": {"a": tf.float32, "b": tf.int64}}
    body = {"inputs": {"a": [[1], [2]], "b": 3}}
    assert ask(rest, PREDICT, body).json == {"outputs": {"a": [[1.0], [2.0]], "b": 3}}
    body = {"inputs": [[1], [2]]}
    several = "as multiple input tensors required as per tensorinfo_map"
    assert ask(rest, PREDICT, body).error == f"inputs is a plain value/list, but expecting an object {several}"
    body = {"instances": [1]}
    assert ask(rest, PREDICT, body).error == f"instances is a plain list, but expecting list of objects {several}"


def test_base64_as_input_and_as_output_by_name(rest, model):
    """api_rest.md, "Encoding binary values" and "Output of binary values"."""
    model.signatures = {"serving_default": {"x": tf.string}}
    model.answer = lambda request: {
        "plain": tf.make_ndarray(request.inputs["x"]),
        "image_bytes": tf.make_ndarray(request.inputs["x"]),
    }
    row = {"plain": "hello", "image_bytes": {"b64": "aGVsbG8="}}
    for value in ({"b64": "aGVsbG8="}, "hello"):
        assert ask(rest, PREDICT, {"instances": [value]}).json == {"predictions": [row]}
        assert ask(rest, PREDICT, {"instances": [{"x": value}]}).json == {"predictions": [row]}
        assert ask(rest, PREDICT, {"inputs": value}).json == {"outputs": row}
    wrong = ask(rest, PREDICT, {"inputs": {"x": {"b64": "aGVsbG8=", "more": 1}}})
    assert (wrong.status, "not formatted correctly for base64 data" in wrong.error) == (400, True)


def test_bytes_that_are_not_utf8_pass_through(rest, model):
    """RapidJSON neither validates nor changes the bytes of strings."""
    model.signatures = {"serving_default": {"x": tf.string}}
    reply = ask(rest, PREDICT, b'{"instances": ["\xff\\u00e9"]}')
    assert tf.make_ndarray(model.requests[-1].inputs["x"]).tolist() == [b"\xff\xc3\xa9"]
    assert reply.body == b'{\n    "predictions": ["\xff\xc3\xa9"]\n}'


def test_nan_and_infinity_both_ways(rest, model):
    """api_rest.md, "JSON conformance", and RapidJSON's kParseNanAndInfFlag, which takes Inf and a sign too."""
    body = b'{"instances": [NaN, Infinity, -Infinity, Inf, -Inf, -NaN]}'
    reply = ask(rest, PREDICT, body)
    assert reply.body == b'{\n    "predictions": [NaN,Infinity,-Infinity,Infinity,-Infinity,NaN]\n}'
    model.signatures = {"serving_default": {"x": tf.string}}
    assert ask(rest, PREDICT, b'{"inputs": ["Inf", "-NaN"]}').json == {"outputs": ["Inf", "-NaN"]}
    model.signatures = {"serving_default": {"x": tf.int32}}
    for token in (b"NaN", b"Infinity"):
        reply = ask(rest, PREDICT, b'{"inputs": %s}' % token)
        assert reply.error == f"JSON Value: {token.decode()} Type: Number is not of expected type: int32"
    for token in (b"nan", b"Nan", b"infinity", b"+Infinity", b"Infinit"):
        assert "JSON Parse error: " in ask(rest, PREDICT, b'{"inputs": %s}' % token).error


def test_features_of_examples(rest, model):
    """json_tensor.cc, AddValueToFeature: what cannot be an integer of 64 bits is a float, rounded."""
    body = (
        b'{"examples": [{"a": [1e39, NaN, 18446744073709551616], "b": [true, -9223372036854775808], "c": [-Infinity]}]}'
    )
    assert ask(rest, "/v1/models/vae:classify", body).status == 200
    features = model.requests[-1].input.example_list.examples[0].features.feature
    np.testing.assert_array_equal(features["a"].float_list.value, [np.inf, np.nan, 2.0**64])
    assert features["b"].int64_list.value == [1, -(2**63)]
    assert features["c"].float_list.value == [-np.inf]


def test_no_dtype_without_a_json_form(rest, model):
    """json_tensor.cc, AddValueToTensor; in rows every fault is INVALID_ARGUMENT."""
    model.signatures = {"serving_default": {"x": tf.float16}}
    reply = ask(rest, PREDICT, {"inputs": [1]})
    assert (reply.status, reply.error) == (501, "Conversion of JSON Value: 1 to type: half")
    reply = ask(rest, PREDICT, {"instances": [1]})
    words = "Error: UNIMPLEMENTED: Conversion of JSON Value: 1 to type: half"
    assert (reply.status, reply.error) == (400, f"Failed to process element: 0 of 'instances' list. {words}")


def test_an_error_is_json_with_its_text_unescaped(rest):
    """json_tensor.cc, MakeJsonFromStatus."""
    reply = ask(rest, PREDICT, '{"inputs": "é"}'.encode())
    words = 'JSON Value: "é" Type: String is not of expected type: float'
    assert reply.body.decode() == json.dumps({"error": words}, ensure_ascii=False, indent=4)
    assert (reply.status, reply.headers["Content-Type"]) == (400, "application/json")


def test_the_content_type_of_a_request_does_not_matter(rest):
    """evhttp_request.cc reads the body, and no header but Content-Encoding."""
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-16"):
        assert ask(rest, PREDICT, {"inputs": 1}, headers={"Content-Type": kind}).json == {"outputs": 1.0}


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/v2/models/vae", "/v1"])
def test_outside_the_api_there_is_a_page_of_http(rest, path):
    """http_server.cc dispatches /v1/ alone; evhttp_server.cc sends libevent's page for the rest."""
    reply = ask(rest, path)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/html")
    assert b"<H1>Not Found</H1>" in reply.body


def test_there_is_no_health_path(rest):
    """http_rest_api_handler.cc knows models alone: no /v1/healthz."""
    reply = ask(rest, "/v1/healthz")
    assert (reply.status, reply.error) == (400, "Malformed request: GET /v1/healthz")


def test_methods(rest):
    """http_rest_api_handler.cc answers POST and GET; evhttp_server.cc allows HEAD, PUT, DELETE, OPTIONS and PATCH."""
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        reply = ask(rest, "/v1/models/vae", method=method)
        assert (reply.status, reply.error) == (400, f"Malformed request: {method} /v1/models/vae")
    reply = ask(rest, "/v1/models/vae", method="HEAD")
    assert (reply.status, reply.body) == (400, b"")
    for method in ("TRACE", "NOPE"):
        reply = ask(rest, "/v1/models/vae", method=method)
        assert (reply.status, reply.headers["Content-Type"]) == (501, "text/html")


def test_paths_ignore_case_but_methods_do_not(rest):
    """http_rest_api_util.cc, its regular expressions."""
    assert ask(rest, "/V1/MODELS/vae:predict", {"inputs": 1}).json == {"outputs": 1.0}
    assert ask(rest, "/v1/models/vae/VERSIONS/5:predict", {"inputs": 1}).json == {"outputs": 1.0}
    assert list(ask(rest, "/v1/models/vae/METADATA").json) == ["model_version_status"]
    assert list(ask(rest, "/v1/models/vae/metadata").json) == ["model_spec", "metadata"]


def test_metrics_have_one_exact_path(rest):
    """http_server.cc, ProcessPrometheusRequest."""
    assert ask(rest, METRICS).body == b"metrics"
    reply = ask(rest, f"{METRICS}?a=b")
    assert (reply.status, reply.headers["Content-Type"]) == (400, "text/plain")
    assert reply.body.decode() == f"Unexpected path: {METRICS}?a=b. Should be {METRICS}"


def test_cors(model):
    """http_rest_api_util.cc, AddCORSHeaders, on demand by --rest_api_enable_cors_support."""
    allowed = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "POST, GET",
        "Access-Control-Allow-Headers": "Content-Type",
    }
    with serve(model, cors=True) as rest:
        preflight = ask(rest, PREDICT, method="OPTIONS", headers={"Origin": "https://example.org"})
        assert (preflight.status, preflight.body) == (200, b"")
        replies = [preflight, ask(rest, PREDICT, {"inputs": 1}), ask(rest, PREDICT, {})]
        assert all(allowed.items() <= reply.headers.items() for reply in replies)
        assert ask(rest, PREDICT, method="OPTIONS").status == 400
    with serve(model) as rest:
        assert not allowed.keys() & ask(rest, PREDICT, {"inputs": 1}).headers.keys()
