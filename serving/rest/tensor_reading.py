"""Reads nested JSON lists as tensors."""

import base64
import binascii
from collections.abc import Callable
from itertools import chain
from typing import Any

import grpc
import numpy as np
from tensorflow.core.framework import types_pb2

from serving.core.errors import RequestError, invalid_argument
from serving.rest.json_body import Constant, bad_surrogate, excerpt, kind, too_big
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
    read = _READERS.get(dtype, _read_none)
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
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise bad_surrogate() from error
    if not is_base64(value):
        raise invalid_argument(f"JSON Value: {excerpt(value)} not formatted correctly for base64 data")
    text = "".join(value[_B64].split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Unable to base64 decode") from error


def read_doubles(values: list[Any]) -> np.ndarray:
    """Reads numbers as doubles.

    Raises:
        RequestError: If one is too large. An infinity is not: the JSON read here has tokens for it.
    """
    try:
        doubles = np.array(values, np.float64)
    except OverflowError as error:
        raise too_big() from error
    if np.isinf(doubles).any() and any(type(value) is float and abs(value) == np.inf for value in values):
        raise too_big()
    return doubles


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
    raise _wrong_type(next(value for value in values if type(value) not in allowed), dtype)


def _wrong_type(value: Any, dtype: int) -> RequestError:
    return invalid_argument(
        f"JSON Value: {excerpt(value)} Type: {kind(value)} is not of expected type: {tensors.dtype_name(dtype)}"
    )


def _read_floats(values: list[Any], dtype: int) -> np.ndarray:
    """Rounds, also to infinity, as C++'s conversion does."""
    _check_types(values, dtype, float, int, Constant)
    with np.errstate(over="ignore"):
        return read_doubles(values).astype(tensors.numpy_dtype(dtype))


def _read_integers(values: list[Any], dtype: int) -> np.ndarray:
    """Reads 8 and 16 bits from any integer of 32: TensorFlow Serving keeps the lowest bits."""
    _check_types(values, dtype, int)
    integer_type = tensors.numpy_dtype(dtype)
    limits = np.iinfo(np.int32 if dtype in _SMALL else integer_type)
    try:
        return np.array(values, limits.dtype).astype(integer_type)
    except OverflowError as error:
        value = next(value for value in values if not limits.min <= value <= limits.max)
        raise _wrong_type(value, dtype) from error


def _read_bools(values: list[Any], dtype: int) -> np.ndarray:
    _check_types(values, dtype, bool)
    return np.array(values, np.bool_)


def _read_strings(values: list[Any], dtype: int) -> np.ndarray:
    _check_types(values, dtype, str, dict)
    array = np.empty(len(values), np.object_)
    array[:] = [read_bytes(value) for value in values]
    return array


def _read_none(values: list[Any], dtype: int) -> np.ndarray:
    if values:
        raise RequestError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Conversion of JSON Value: {excerpt(values[0])} to type: {tensors.dtype_name(dtype)}",
        )
    return np.empty(0, tensors.numpy_dtype(dtype))


_SMALL = (types_pb2.DT_INT8, types_pb2.DT_INT16, types_pb2.DT_UINT8)
# As in TensorFlow Serving, half, bfloat16 and uint16 have no JSON form.
_READERS: dict[int, Callable[[list[Any], int], np.ndarray]] = {
    **dict.fromkeys((types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE), _read_floats),
    **dict.fromkeys((*_SMALL, types_pb2.DT_INT32, types_pb2.DT_INT64), _read_integers),
    **dict.fromkeys((types_pb2.DT_UINT32, types_pb2.DT_UINT64), _read_integers),
    types_pb2.DT_BOOL: _read_bools,
    types_pb2.DT_STRING: _read_strings,
}
