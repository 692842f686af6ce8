"""What REST refuses, and in which words."""

import re

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_rest_testing import PREDICT, FakeModel, ask, serve

from serving.core.errors import RequestError


@pytest.fixture
def model():
    return FakeModel(x=tf.float32)


@pytest.fixture
def rest(model):
    with serve(model) as rest:
        yield rest


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PREDICT),
        ("POST", "/v1/models/vae"),
        ("POST", "/v1/models/vae:explain"),
        ("POST", "/v1/models/vae:PREDICT"),
        ("POST", "/v1/models/vae/versions/x:predict"),
        ("POST", "/v1/models/vae/version/5:predict"),
        ("POST", "/v1/models:predict"),
        ("POST", f"{PREDICT}?a=b"),
        ("PUT", PREDICT),
        ("DELETE", "/v1/models/vae"),
        ("GET", "/v1/foo"),
        ("GET", "/v1/models/vae/metadata/more"),
    ],
)
def test_malformed_requests(rest, method, path):
    reply = ask(rest, path, b"{}" if method in ("POST", "PUT") else None, method)
    assert (reply.status, reply.error) == (400, f"Malformed request: {method} {path}")
    assert reply.headers["Content-Type"] == "application/json"


def test_odd_paths(rest):
    assert ask(rest, "/v1/models").error == "Missing model name in request."
    assert ask(rest, "/v1/models/%ff:predict", b"{}").error.startswith("Failed to decode model name")
    huge = ask(rest, f"/v1/models/vae/versions/{2**64 - 1}:predict", b"{}")
    assert (huge.status, huge.error) == (400, f"Failed to convert version: {2**64 - 1} to numeric.")
    assert ask(rest, f"/v1/models/vae/versions/{'9' * 6000}").status == 400


def test_unknown_model(rest):
    reply = ask(rest, "/v1/models/nope:predict", {"instances": [1]})
    assert (reply.status, reply.error) == (404, "Servable not found for request: Latest(nope)")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"instances = [1]", r"^JSON Parse error: Invalid value\. at offset: 0$"),
        (b'{"instances": [1],}', r"^JSON Parse error: Missing a name for object member\. at offset: 18$"),
        (b'{"instances": [1]} 2', r"The document root must not be followed by other values\. at offset: 19$"),
        (b'{"instances" [1]}', r"Missing a colon after a name of object member\. at offset: 13$"),
        (b'{"instances": [{"x": 1}, [1 2]]}', r"Missing a comma or \] after an array element\. at offset: 28$"),
        ('{"é": "[" "instances": [1]}'.encode(), r"Missing a comma or } after an object member\. at offset: 11$"),
        (b'{"instances": ["a]}', r"Missing a closing quotation mark in string\."),
        (b'{"instances": ["\\u12"]}', r"Incorrect hex digit after \\u escape in string\."),
        (b'{"instances": ["\\q"]}', r"Invalid escape character in string\."),
        (b"[1]", r"JSON Value: \[1\] Is not object"),
        (b'{"inputs": ' + b"[" * 100_000, "JSON Parse error: Nested too deeply"),
        (b'{"inputs": ' + b"[" * 400 + b"1" + b"]" * 400 + b"}", "cannot be converted to a tensor"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", r"^JSON Parse error: Number too big to be stored in double\."),
        (b'{"inputs": 1' + b"0" * 400 + b"}", r"^JSON Parse error: Number too big to be stored in double\."),
        (b'{"inputs": [Infinity, -1e400]}', r"^JSON Parse error: Number too big to be stored in double\."),
        (b'{"instances": [1], "inputs": [1]}', "expecting only one of 'inputs' or 'instances' keys to exist"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (b'{"instances": 1}', "Expecting 'instances' to be an list/array"),
        (b'{"instances": []}', "No values in 'instances' array"),
        (b'{"instances": [1], "signature_name": 5}', "'signature_name' key must be a string value"),
        (b'{"instances": [1], "signature_name": "\\ud800"}', "surrogate pair"),
        (b'{"instances": [1], "signature_name": "nope"}', 'Serving signature name: "nope" not found in signature def'),
        (
            b'{"instances": [[1, 2], [3]]}',
            r"element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 2 but got: 1$",
        ),
        (b'{"instances": [{"x": 1}, {"x": [1]}]}', "element: 1 key: x of 'instances' list"),
        (
            b'{"instances": [[[1, 2]], [[1], [2]]]}',
            r"element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting shape \[1,2\] but got: \[2,1\]$",
        ),
        (b'{"instances": [1, [1]]}', r"Error: INVALID_ARGUMENT: Expecting shape \[\] but got: \[1\]$"),
        (b'{"instances": [[[1], 2]]}', "found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        (b'{"instances": [[2, [1]]]}', "Encountered list at unexpected level"),
        (b'{"instances": [1, {"x": 1}]}', "Expecting value/list but got object at item 1"),
        (b'{"instances": [{"x": 1}, 1]}', "Expecting object but got list at item 1"),
        (b'{"instances": [{"x": 1}, {}]}', "element: 1 of 'instances' list. JSON object: {} keys must be equal to: x"),
        (
            b'{"instances": [{"y": 1}]}',
            "^Failed to process element: 0 key: y of 'instances' list."
            " Error: INVALID_ARGUMENT: JSON object: does not have named input: y$",
        ),
        (b'{"inputs": {"y": 1}}', "Missing named input: x in 'inputs' object"),
        (b'{"inputs": "a"}', '^JSON Value: "a" Type: String is not of expected type: float$'),
        (b'{"inputs": [1, null]}', "JSON Value: null Type: Null is not of expected type: float"),
        (b'{"inputs": true}', "Type: True is not of expected type: float"),
        (b'{"inputs": {"b64": "YQ=="}}', "Type: Object is not of expected type: float"),
    ],
)
def test_bad_bodies(rest, model, body, words):
    reply = ask(rest, PREDICT, body)
    assert reply.status == 400
    assert len(reply.error) < 600, "long values are cut short"
    assert re.search(words, reply.error), reply.error
    assert not model.requests
    assert ask(rest, PREDICT, {"inputs": 1.5}).json == {"outputs": 1.5}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.FAILED_PRECONDITION, 400),
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (grpc.StatusCode.CANCELLED, 499),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
    ],
)
def test_statuses(rest, model, code, status):
    def refuse(request):
        raise RequestError(code, 'so "it" is\n')

    model.answer = refuse
    reply = ask(rest, PREDICT, {"inputs": 1})
    assert (reply.status, reply.error) == (status, 'so "it" is\n')


def test_an_unexpected_error_is_told_to_the_log_alone(rest, model, caplog):
    model.answer = lambda request: 1 / 0
    reply = ask(rest, PREDICT, {"inputs": 1})
    assert reply.status == 500
    assert "ZeroDivision" not in reply.error
    assert "ZeroDivision" in caplog.text


def test_outputs_that_make_no_rows(rest, model):
    model.answer = lambda request: {"a": np.zeros([2]), "b": np.zeros([3])}
    assert "b has inconsistent batch size: 3 expecting: 2" in ask(rest, PREDICT, {"instances": [1]}).error
    model.answer = lambda request: {"a": np.float32(1)}
    assert ask(rest, PREDICT, {"instances": [1]}).error == "Tensor name: a has no shape information "
    assert ask(rest, PREDICT, {"inputs": 1}).json == {"outputs": 1.0}
    model.answer = lambda request: {"a": np.array([1j])}
    reply = ask(rest, PREDICT, {"inputs": 1})
    assert (reply.status, reply.error) == (400, "Failed to write JSON value for tensor type: complex128")
    model.answer = lambda request: {"a": np.zeros([0, 2], np.float32)}
    assert ask(rest, PREDICT, {"inputs": 1}).json == {"outputs": []}


def test_an_input_that_json_cannot_express(rest, model):
    model.signatures = {"serving_default": {"x": tf.complex64}}
    reply = ask(rest, PREDICT, {"inputs": 1})
    assert (reply.status, "to type: complex64" in reply.error) == (501, True)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "key 'examples' is expected and was not found"),
        ({"examples": 1}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{"a": None}]}, "Feature: a has element with unexpected JSON type: Null"),
        ({"examples": [{"a": [[1]]}]}, "Feature: a has element with unexpected JSON type: Array"),
        ({"examples": [{"a": {"c": 1}}]}, "Feature: a has element with unexpected JSON type: Object"),
        ({"examples": [{"a": [1.5, 2]}]}, "Unexpected element type in feature: a expecting type: float"),
        ({"examples": [{"a": ["b", 2]}]}, "Unexpected element type in feature: a expecting type: bytes"),
        ({"examples": [{"a": 2**63}]}, "Feature: a has uint64_t element. Only int64_t is supported."),
        ({"examples": [{"a": {"b64": "?"}}]}, "Unable to base64 decode"),
        ({"examples": [{}], "context": 1}, "Example must be JSON object but got JSON Number"),
    ],
)
def test_bad_examples(rest, body, words):
    for method in ("classify", "regress"):
        reply = ask(rest, f"/v1/models/vae:{method}", body)
        assert reply.status == 400
        assert words in reply.error
