"""Classify and Regress requests and responses as JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving.core.errors import invalid_argument
from serving.rest.json_body import encodable, excerpt, kind
from serving.rest.tensor_reading import is_base64, read_bytes, read_doubles
from serving.rest.tensor_writing import json_text, write_floats

_CONTEXT, _EXAMPLES = "context", "examples"
_RESULTS = "results"
_INT64, _UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)


def fill_examples(body: Mapping[str, Any], examples: input_pb2.Input) -> None:
    """Reads the examples of a request.

    Args:
        body: The request's JSON object.
        examples: Receives them, and the context if there is one.

    Raises:
        RequestError: If there are none, or one is not a valid example.
    """
    if _EXAMPLES not in body:
        raise invalid_argument(
            f"JSON Value: {excerpt(body)} When method is classify, key '{_EXAMPLES}' is expected and was not found"
        )
    entries = body[_EXAMPLES]
    if not isinstance(entries, list):
        raise invalid_argument(f"JSON Value: {excerpt(body)} Expecting '{_EXAMPLES}' value to be an list/array")
    if not entries:
        raise invalid_argument(f"JSON Value: {excerpt(body)} '{_EXAMPLES}' value is an empty array")
    target: Any = examples.example_list
    if _CONTEXT in body:
        target = examples.example_list_with_context
        _fill_example(body[_CONTEXT], target.context)
    for entry in entries:
        _fill_example(entry, target.examples.add())


def classification_json(result: classification_pb2.ClassificationResult) -> str:
    """Writes the classes of each example as pairs of label and score.

    Raises:
        RequestError: If there are none.
    """
    if not result.classifications:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classes in result.classifications:
        scores = write_floats([one.score for one in classes.classes])
        pairs = [f"[{json_text(one.label)},{score}]" for one, score in zip(classes.classes, scores, strict=True)]
        rows.append(f"[{','.join(pairs)}]")
    return _results(rows)


def regression_json(result: regression_pb2.RegressionResult) -> str:
    """Writes the value of each example.

    Raises:
        RequestError: If there are none.
    """
    if not result.regressions:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    return _results(write_floats([one.value for one in result.regressions]))


def _results(rows: list[str]) -> str:
    return f'{{\n    "{_RESULTS}": [{",".join(rows)}]\n}}'


def _fill_example(value: Any, example: example_pb2.Example) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {kind(value)}")
    for name, content in value.items():
        feature = example.features.feature[encodable(name)]
        values = content if isinstance(content, list) else [content]
        if values:
            _fill_feature(name, values, feature)


def _fill_feature(name: str, values: list[Any], feature: feature_pb2.Feature) -> None:
    """The first value decides the type of all; as in TensorFlow Serving, an integer is not a float here."""
    expected = _feature_kind(name, values[0])
    for value in values:
        if _feature_kind(name, value) != expected:
            raise invalid_argument(f"Unexpected element type in feature: {name} expecting type: {expected}")
    if expected == "float":
        with np.errstate(over="ignore"):
            feature.float_list.value.extend(read_doubles(values).astype(np.float32).tolist())
    elif expected == "int64":
        feature.int64_list.value.extend(map(int, values))
    else:
        feature.bytes_list.value.extend(read_bytes(value) for value in values)


def _feature_kind(name: str, value: Any) -> str:
    if isinstance(value, int):
        if _INT64.max < value <= _UINT64.max:
            raise invalid_argument(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        return "int64" if _INT64.min <= value <= _INT64.max else "float"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str) or is_base64(value):
        return "bytes"
    raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {kind(value)}")
