"""Predict requests and responses as JSON, in rows (`instances`) or columns (`inputs`)."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from serving.core.errors import RequestError, invalid_argument
from serving.rest.json_body import excerpt
from serving.rest.tensor_reading import is_base64, read_tensor
from serving.rest.tensor_writing import json_text, write_rows, write_tensor
from serving.wire import tensors
from serving.wire.protocol import DEFAULT_SIGNATURE

_ROWS, _COLUMNS = "instances", "inputs"


def input_dtypes(signatures: get_model_metadata_pb2.SignatureDefMap, signature: str) -> dict[str, int]:
    """Returns the `DataType` of each of a signature's inputs.

    Args:
        signatures: A model's signatures.
        signature: The signature's name; empty for `serving_default`.

    Raises:
        RequestError: If there is no such signature, or it has no inputs.
    """
    name = signature or DEFAULT_SIGNATURE
    if name not in signatures.signature_def:
        raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
    inputs = signatures.signature_def[name].inputs
    if not inputs:
        raise invalid_argument(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
    return {alias: info.dtype for alias, info in inputs.items()}


def is_row_form(body: Mapping[str, Any]) -> bool:
    """Returns whether a request comes in rows (`instances`) rather than columns (`inputs`).

    Raises:
        RequestError: If it has neither or both.
    """
    if _ROWS in body and _COLUMNS in body:
        raise invalid_argument(
            f"JSON Value: {excerpt(body)} Not formatted correctly expecting only one of '{_COLUMNS}' or '{_ROWS}'"
            " keys to exist "
        )
    if _ROWS not in body and _COLUMNS not in body:
        raise invalid_argument(f"Missing '{_COLUMNS}' or '{_ROWS}' key")
    return _ROWS in body


def fill_inputs(body: Mapping[str, Any], dtypes: Mapping[str, int], request: predict_pb2.PredictRequest) -> None:
    """Reads the inputs of a request.

    Args:
        body: The request's JSON object.
        dtypes: The `DataType` of each of the signature's inputs, by name; at least one.
        request: Receives the inputs.

    Raises:
        RequestError: If they do not fit the signature, or cannot be converted to tensors.
    """
    columns = _rows_to_columns(body, dtypes) if is_row_form(body) else _columns(body[_COLUMNS], dtypes)
    for name, value in columns.items():
        try:
            array = read_tensor(value, dtypes[name])
        except RequestError as error:
            raise (_located(error, body[_ROWS], name, dtypes[name]) if _ROWS in body else error) from error
        tensors.to_proto(array, request.inputs[name])


def response_json(outputs: Mapping[str, tensor_pb2.TensorProto], in_rows: bool) -> str:
    """Writes the outputs, in the form of the request.

    Args:
        outputs: The outputs by name; a single one is written without its name.
        in_rows: Whether the request came in rows.

    Returns:
        The response's JSON text.

    Raises:
        RequestError: If outputs cannot be written, or have no common first dimension for rows.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    names = sorted(outputs)
    keys = [f"{json_text(name)}:" for name in names]
    if not in_rows:
        texts = [write_tensor(name, outputs[name]) for name in names]
        return f'{{\n    "outputs": {texts[0] if len(texts) == 1 else _object(keys, texts)}\n}}'
    _check_rows(outputs)
    columns = [write_rows(name, outputs[name]) for name in names]
    rows = columns[0] if len(names) == 1 else [_object(keys, row) for row in zip(*columns, strict=True)]
    return f'{{\n    "predictions": [{",".join(rows)}]\n}}'


def _columns(value: Any, dtypes: Mapping[str, int]) -> dict[str, Any]:
    if not isinstance(value, dict) or is_base64(value):
        if len(dtypes) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per"
                " tensorinfo_map"
            )
        return {next(iter(dtypes)): value}
    for name in sorted(dtypes):
        if name not in value:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
    return {name: value[name] for name in dtypes}  # as in TensorFlow Serving, other keys are ignored


def _rows_to_columns(body: Mapping[str, Any], dtypes: Mapping[str, int]) -> dict[str, Any]:
    rows = body[_ROWS]
    if not isinstance(rows, list):
        raise invalid_argument(f"JSON Value: {excerpt(body)} Expecting '{_ROWS}' to be an list/array")
    if not rows:
        raise invalid_argument(f"JSON Value: {excerpt(body)} No values in '{_ROWS}' array")
    named = isinstance(rows[0], dict) and not is_base64(rows[0])
    if not isinstance(rows[0], dict) and len(dtypes) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            " tensorinfo_map"
        )
    for index, row in enumerate(rows):
        if (isinstance(row, dict) and not is_base64(row)) != named:
            expected, received = ("object", "list") if named else ("value/list", "object")
            raise invalid_argument(f"Expecting {expected} but got {received} at item {index} of input list")
        if named and row.keys() != dtypes.keys():
            raise _wrong_keys(index, row, dtypes)
    if not named:
        return {next(iter(dtypes)): rows}
    return {name: [row[name] for row in rows] for name in dtypes}


def _wrong_keys(index: int, row: Mapping[str, Any], dtypes: Mapping[str, int]) -> RequestError:
    for name in row:
        if name not in dtypes:
            unknown = invalid_argument(f"JSON object: does not have named input: {name}")
            return _element_error(index, name, unknown)
    return invalid_argument(
        f"Failed to process element: {index} of '{_ROWS}' list. JSON object: {excerpt(row)} keys must be equal to:"
        f" {','.join(sorted(dtypes))}"
    )


def _element_error(index: int, name: str | None, error: RequestError) -> RequestError:
    key = "" if name is None else f" key: {name}"
    return invalid_argument(
        f"Failed to process element: {index}{key} of '{_ROWS}' list. Error: {error.code.name}: {error.details}"
    )


def _located(error: RequestError, rows: Sequence[Any], name: str, dtype: int) -> RequestError:
    """Finds the invalid row, which reading all rows together does not."""
    first: np.ndarray | None = None
    for index, row in enumerate(rows):
        named = isinstance(row, dict) and not is_base64(row)
        try:
            array = read_tensor(row[name] if named else row, dtype)
            first = array if first is None else first
            _check_same(first, array)
        except RequestError as found:
            return _element_error(index, name if named else None, found)
    return error


def _check_same(first: np.ndarray, other: np.ndarray) -> None:
    if other.size != first.size:
        raise invalid_argument(f"Expecting tensor size: {first.size} but got: {other.size}")
    if other.shape != first.shape:
        raise invalid_argument(f"Expecting shape {_listed(first.shape)} but got: {_listed(other.shape)}")


def _listed(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _check_rows(outputs: Mapping[str, tensor_pb2.TensorProto]) -> None:
    sizes: dict[str, int] = {}
    for name in sorted(outputs):
        dims = outputs[name].tensor_shape.dim
        if not dims:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        sizes[name] = dims[0].size
        first = next(iter(sizes.values()))
        if dims[0].size != first:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {dims[0].size} expecting: {first}"
            )


def _object(keys: Sequence[str], texts: Sequence[str]) -> str:
    return "{" + ",".join(map(operator.add, keys, texts)) + "}"
