"""Converts NumPy arrays to TensorFlow's `TensorProto` and back, for server and client."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .messages import DataType
from .packed import extend_packed, read_varint, varint
from .protocol import MAX_FILLED_TENSOR_BYTES

if TYPE_CHECKING:  # the server's tensors; a client's, of serving.wire.messages, have the same fields
    from tensorflow.core.framework import tensor_pb2

try:
    from ml_dtypes import bfloat16
except ModuleNotFoundError:  # the light client goes without, and then has no bfloat16
    bfloat16 = None

# The dtypes of TensorFlow 1's variables are these above those of their values.
REFERENCE = 100


class _Codec(NamedTuple):
    """How a dtype's values are stored in a `TensorProto`'s typed field.

    A value of the field has dtype `wire`, is narrowed to `cell`, and its bits are those of `dtype`: float16, for
    example, is stored as the bits of a uint16 in an int32 field.
    """

    dtype: np.dtype
    field: str
    wire: type
    cell: type


def _codec(dtype: type, field: str, wire: type | None = None, cell: type | None = None) -> _Codec:
    return _Codec(np.dtype(dtype), field, wire or dtype, cell or dtype)


_CODECS = {
    DataType.DT_FLOAT: _codec(np.float32, "float_val"),
    DataType.DT_DOUBLE: _codec(np.float64, "double_val"),
    DataType.DT_HALF: _codec(np.float16, "half_val", np.int32, np.uint16),
    DataType.DT_INT8: _codec(np.int8, "int_val", np.int32),
    DataType.DT_INT16: _codec(np.int16, "int_val", np.int32),
    DataType.DT_INT32: _codec(np.int32, "int_val"),
    DataType.DT_INT64: _codec(np.int64, "int64_val"),
    DataType.DT_UINT8: _codec(np.uint8, "int_val", np.int32),
    DataType.DT_UINT16: _codec(np.uint16, "int_val", np.int32),
    DataType.DT_UINT32: _codec(np.uint32, "uint32_val"),
    DataType.DT_UINT64: _codec(np.uint64, "uint64_val"),
    DataType.DT_BOOL: _codec(np.bool_, "bool_val"),
    DataType.DT_COMPLEX64: _codec(np.complex64, "scomplex_val", np.float32, np.float32),
    DataType.DT_COMPLEX128: _codec(np.complex128, "dcomplex_val", np.float64, np.float64),
    DataType.DT_STRING: _codec(np.object_, "string_val"),
}
if bfloat16 is not None:
    _CODECS[DataType.DT_BFLOAT16] = _codec(bfloat16, "half_val", np.int32, np.uint16)

_ENUMS = {codec.dtype: enum for enum, codec in _CODECS.items()}


def numpy_dtype(enum: int) -> np.dtype | None:
    """Returns the NumPy dtype of a TensorFlow `DataType`, `object` for strings; None if there is none."""
    codec = _CODECS.get(enum)
    return codec.dtype if codec else None


def dtype_name(enum: int) -> str:
    """Returns TensorFlow's own name for a `DataType`, such as `float` or `double`."""
    return DataType.Name(enum).removeprefix("DT_").lower()


def to_array(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Reads a tensor, and checks its claimed size before allocating memory.

    As in TensorFlow, a typed field with fewer values than the shape needs repeats its last one, an empty one means
    zeros, and surplus values are ignored.

    Args:
        proto: The tensor, with its values in `tensor_content` or in its dtype's typed field.

    Returns:
        The array; one read from `tensor_content` is a read-only view of those bytes.

    Raises:
        ValueError: If the dtype is unknown, the shape is invalid or too large, or the content does not fill it.
    """
    codec = _CODECS.get(proto.dtype)
    if codec is None:
        raise ValueError(f"unsupported dtype {proto.dtype}")
    if proto.tensor_shape.unknown_rank:
        raise ValueError("unknown rank")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if any(size < 0 for size in shape):
        raise ValueError(f"negative dimension in shape {shape}")
    count = math.prod(shape)
    if proto.tensor_content and count:
        if codec.dtype.hasobject:
            return np.array(_split_strings(proto.tensor_content, count), np.object_).reshape(shape)
        if len(proto.tensor_content) != count * codec.dtype.itemsize:
            raise ValueError(f"{len(proto.tensor_content)} bytes do not make shape {shape}")
        return np.frombuffer(proto.tensor_content, codec.dtype).reshape(shape)
    cells: np.ndarray = np.array(getattr(proto, codec.field), codec.wire).astype(codec.cell, copy=False)
    if codec.dtype.kind == "c":
        cells = cells[: len(cells) // 2 * 2]  # half a complex number is ignored
    values = cells.view(codec.dtype)
    if len(values) < count:
        return _filled(values, shape, count, codec.dtype)
    return values[:count].reshape(shape)


def _filled(values: np.ndarray, shape: tuple[int, ...], count: int, dtype: np.dtype) -> np.ndarray:
    """Fills a shape with the values, then with the last of them."""
    if count * dtype.itemsize > MAX_FILLED_TENSOR_BYTES:
        raise ValueError(f"shape {shape} is too large to be filled from {len(values)} values")
    if not len(values):
        values = np.array([b""], np.object_) if dtype.hasobject else np.zeros(1, dtype)
    array = np.full(count, values[-1], dtype)
    array[: len(values)] = values
    return array.reshape(shape)


def to_proto(array: np.ndarray, proto: tensor_pb2.TensorProto) -> None:
    """Writes an array into an empty tensor in the shortest way: numbers as bytes in `tensor_content`.

    Args:
        array: The array; an object array must hold bytes.
        proto: The message to fill; one in a request's map saves a copy.

    Raises:
        ValueError: If TensorFlow Serving lacks the array's dtype.
    """
    codec = _write_type(array, proto)
    if codec.dtype.hasobject:
        proto.string_val.extend(array.ravel().tolist())
    else:
        proto.tensor_content = array.tobytes()


def to_typed_proto(array: np.ndarray, proto: tensor_pb2.TensorProto) -> None:
    """Writes an array into an empty tensor as TensorFlow Serving does by default: in its dtype's typed field.

    Args:
        array: The array; an object array must hold bytes.
        proto: The message to fill; one in an answer's map saves a copy.

    Raises:
        ValueError: If TensorFlow Serving lacks the array's dtype.
    """
    codec = _write_type(array, proto)
    if codec.dtype.hasobject:
        proto.string_val.extend(array.ravel().tolist())
        return
    values = np.ascontiguousarray(array).reshape(-1)
    extend_packed(proto, codec.field, values.view(codec.cell).astype(codec.wire, copy=False))


def to_content_proto(array: np.ndarray, proto: tensor_pb2.TensorProto) -> None:
    """Writes an array into an empty tensor as TensorFlow Serving does on demand: in `tensor_content`, strings too.

    Args:
        array: The array; an object array must hold bytes.
        proto: The message to fill; one in an answer's map saves a copy.

    Raises:
        ValueError: If TensorFlow Serving lacks the array's dtype.
    """
    codec = _write_type(array, proto)
    proto.tensor_content = _joined_strings(array.ravel().tolist()) if codec.dtype.hasobject else array.tobytes()


def _write_type(array: np.ndarray, proto: tensor_pb2.TensorProto) -> _Codec:
    enum = _ENUMS.get(array.dtype)
    if enum is None:
        raise ValueError(f"expected a dtype that TensorFlow Serving has, received {array.dtype}. Cast it first.")
    proto.dtype = enum
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    return _CODECS[enum]


def _joined_strings(strings: list[bytes]) -> bytes:
    """Joins strings as TensorFlow stores them in bytes: the length of each as a varint, and then all of them."""
    return b"".join([*(varint(len(string)) for string in strings), *strings])


def _split_strings(content: bytes, count: int) -> list[bytes]:
    """Splits strings that are joined as by `_joined_strings`."""
    if count > len(content):  # a length takes a byte
        raise ValueError(f"{len(content)} bytes do not make {count} strings")
    lengths, start = [], 0
    for _ in range(count):
        length, start = read_varint(content, start)
        lengths.append(length)
    if start + sum(lengths) != len(content):
        raise ValueError(f"{len(content)} bytes do not make {count} strings")
    ends = itertools.accumulate(lengths, initial=start)
    return [content[begin:end] for begin, end in itertools.pairwise(ends)]
