"""Predict requests and responses as JSON, in rows (`instances`) or columns (`inputs`)."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

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
            raise _located(error, body, name, dtypes[name]) from error
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
                f" tensorinfo_map: {', '.join(sorted(dtypes))}"
            )
        return {next(iter(dtypes)): value}
    for name in sorted(dtypes):
        if name not in value:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
    for name in value:
        if name not in dtypes:
            raise _unknown_input(name, dtypes)
    return value


def _rows_to_columns(body: Mapping[str, Any], dtypes: Mapping[str, int]) -> dict[str, Any]:
    rows = body[_ROWS]
    if not isinstance(rows, list):
        raise invalid_argument(f"JSON Value: {excerpt(body)} Excepting '{_ROWS}' to be an list/array")
    if not rows:
        raise invalid_argument(f"JSON Value: {excerpt(body)} No values in '{_ROWS}' array")
    named = isinstance(rows[0], dict) and not is_base64(rows[0])
    if not named and len(dtypes) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            f" tensorinfo_map: {', '.join(sorted(dtypes))}"
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
            return invalid_argument(
                f"Failed to process element: {index} key: {name} of '{_ROWS}' list."
                f" Error: {_unknown_input(name, dtypes).details}"
            )
    return invalid_argument(
        f"Failed to process element: {index} of '{_ROWS}' list. JSON object: {excerpt(row)} keys must be equal to:"
        f" {','.join(sorted(dtypes))}"
    )


def _unknown_input(name: str, dtypes: Mapping[str, int]) -> RequestError:
    return invalid_argument(
        f"JSON object: does not have named input: {name}. The signature's inputs are: {', '.join(sorted(dtypes))}"
    )


def _located(error: RequestError, body: Mapping[str, Any], name: str, dtype: int) -> RequestError:
    """Finds the invalid row, which reading all rows together does not."""
    if _ROWS not in body:
        return RequestError(error.code, f"Failed to process input: {name}. Error: {error.details}")
    first: tuple[int, ...] | None = None
    for index, row in enumerate(body[_ROWS]):
        named = isinstance(row, dict) and not is_base64(row)
        where = f"Failed to process element: {index}{f' key: {name}' if named else ''} of '{_ROWS}' list. Error: "
        try:
            array = read_tensor(row[name] if named else row, dtype)
        except RequestError as found:
            return RequestError(found.code, where + found.details)
        if first is None:
            first = array.shape
        if array.shape != first:
            return invalid_argument(f"{where}Expecting shape {list(first)} but got: {list(array.shape)}")
    return error


def _check_rows(outputs: Mapping[str, tensor_pb2.TensorProto]) -> None:
    sizes: dict[str, int] = {}
    for name in sorted(outputs):
        dims = outputs[name].tensor_shape.dim
        if not dims:
            raise invalid_argument(f"Tensor name: {name} has no shape information: it is a scalar. Use '{_COLUMNS}'.")
        sizes[name] = dims[0].size
        first = next(iter(sizes.values()))
        if dims[0].size != first:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {dims[0].size} expecting: {first}"
            )


def _object(keys: Sequence[str], texts: Sequence[str]) -> str:
    return "{" + ",".join(map(operator.add, keys, texts)) + "}"
