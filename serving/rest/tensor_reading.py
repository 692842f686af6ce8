"""Reads nested JSON lists as tensors."""

import base64
import binascii
from collections.abc import Callable
from itertools import chain
from typing import Any

import grpc
import ml_dtypes
import numpy as np
from tensorflow.core.framework import types_pb2

from serving.core.errors import RequestError, invalid_argument
from serving.rest.json_body import encodable, excerpt, kind
from serving.wire import tensors

_B64 = "b64"


def read_tensor(value: Any, dtype: int) -> np.ndarray:
    """Reads a tensor, which has the shape of the lists.

    The lists are flattened one level at a time, so that Python takes no step per number.

    Args:
        value: A value, or lists of values nested to any depth.
        dtype: The tensor's `DataType`.

    Returns:
        The array; bytes for strings.

    Raises:
        RequestError: If the lists are ragged, or a value does not fit the dtype.
    """
    shape, values = _flattened(value)
    read = _READERS.get(dtype)
    if read is None:
        raise RequestError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Conversion of JSON Value: {excerpt(value)} to type: {tensors.dtype_name(dtype)}",
        )
    try:
        return read(values, dtype).reshape(shape)
    except ValueError as error:
        raise invalid_argument(f"JSON Value: {excerpt(value)} cannot be converted to a tensor: {error}") from error


def is_base64(value: Any) -> bool:
    """Returns whether a JSON value stands for bytes: an object with one string, named `b64`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_B64), str)


def read_bytes(value: Any) -> bytes:
    """Reads a string, or the bytes that an object `{"b64": ...}` stands for.

    Raises:
        RequestError: If it is neither.
    """
    if isinstance(value, str):
        return encodable(value).encode()
    if not is_base64(value):
        raise invalid_argument(f"JSON Value: {excerpt(value)} not formatted correctly for base64 data")
    text = value[_B64]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Unable to base64 decode") from error


def check_float_range(values: list[int | float], float_type: Any) -> None:
    """Refuses numbers that a float cannot hold: too large, or integers too large to be exact.

    Raises:
        RequestError: If there is one.
    """
    limits = ml_dtypes.finfo(float_type)
    whole = 2 ** (limits.nmant + 1) - 1
    for value in values:
        if abs(value) <= whole:
            continue
        # A float may be infinite or NaN: the JSON read here has tokens for both.
        if isinstance(value, int) or (abs(value) > float(limits.max) and abs(value) != float("inf")):
            name = {8: "double", 4: "float"}.get(np.dtype(float_type).itemsize, np.dtype(float_type).name)
            raise invalid_argument(f"Cannot convert JSON value: {excerpt(value)} to {name} without loss of precision.")


def _flattened(value: Any) -> tuple[list[int], list[Any]]:
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        if set(map(type, level)) != {list}:
            misplaced = next(item for item in level if not isinstance(item, list))
            raise invalid_argument(
                f"JSON Value: {excerpt(misplaced)} found at incorrect level: {len(shape) + 1} in the JSON DOM."
                f" Expected at level: {_depth(value)}"
            )
        sizes = set(map(len, level))
        if len(sizes) > 1:
            size = len(level[0])
            other = next(len(item) for item in level if len(item) != size)
            raise invalid_argument(
                f"Encountered list at unexpected size: {other} at level: {len(shape)} expected size: {size}"
            )
        shape += sizes
        level = list(chain.from_iterable(level))
    if list in set(map(type, level)):
        raise invalid_argument(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return shape, level


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


def _check_types(values: list[Any], dtype: int, *allowed: type) -> None:
    if set(map(type, values)) <= set(allowed):
        return
    value = next(value for value in values if type(value) not in allowed)
    raise invalid_argument(
        f"JSON Value: {excerpt(value)} Type: {kind(value)} is not of expected type: {tensors.dtype_name(dtype)}"
    )


def _read_floats(values: list[Any], dtype: int) -> np.ndarray:
    _check_types(values, dtype, float, int)
    float_type = tensors.numpy_dtype(dtype)
    whole = 2 ** (ml_dtypes.finfo(float_type).nmant + 1) - 1
    try:
        wide = np.array(values, np.float64)
        suspect = bool((np.abs(wide) > whole).any())
    except OverflowError:
        suspect = True
    if suspect:
        check_float_range(values, float_type)
    return wide.astype(float_type)


def _read_integers(values: list[Any], dtype: int) -> np.ndarray:
    _check_types(values, dtype, int)
    integer_type = tensors.numpy_dtype(dtype)
    try:
        return np.array(values, integer_type)
    except OverflowError as error:
        limits = np.iinfo(integer_type)
        value = next(value for value in values if not limits.min <= value <= limits.max)
        raise invalid_argument(
            f"JSON Value: {excerpt(value)} Type: Number is not of expected type: {tensors.dtype_name(dtype)}"
        ) from error


def _read_bools(values: list[Any], dtype: int) -> np.ndarray:
    _check_types(values, dtype, bool)
    return np.array(values, np.bool_)


def _read_strings(values: list[Any], dtype: int) -> np.ndarray:
    _check_types(values, dtype, str, dict)
    array = np.empty(len(values), np.object_)
    array[:] = [read_bytes(value) for value in values]
    return array


_READERS: dict[int, Callable[[list[Any], int], np.ndarray]] = {
    **dict.fromkeys((types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_HALF, types_pb2.DT_BFLOAT16), _read_floats),
    **dict.fromkeys((types_pb2.DT_INT8, types_pb2.DT_INT16, types_pb2.DT_INT32, types_pb2.DT_INT64), _read_integers),
    **dict.fromkeys((types_pb2.DT_UINT8, types_pb2.DT_UINT16, types_pb2.DT_UINT32), _read_integers),
    types_pb2.DT_UINT64: _read_integers,
    types_pb2.DT_BOOL: _read_bools,
    types_pb2.DT_STRING: _read_strings,
}
