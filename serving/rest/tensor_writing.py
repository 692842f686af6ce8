"""Writes tensors as nested JSON lists."""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.core.errors import invalid_argument
from serving.wire import tensors

_FLOATS = {types_pb2.DT_FLOAT, types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}
_OTHERS = {
    *(types_pb2.DT_DOUBLE, types_pb2.DT_BOOL, types_pb2.DT_STRING),
    *(types_pb2.DT_INT8, types_pb2.DT_INT16, types_pb2.DT_INT32, types_pb2.DT_INT64),
    *(types_pb2.DT_UINT8, types_pb2.DT_UINT16, types_pb2.DT_UINT32, types_pb2.DT_UINT64),
}
_BYTES_SUFFIX = "_bytes"
# The decimal powers that a double holds exactly.
_POWERS = 10.0 ** np.arange(23)


def write_rows(name: str, proto: tensor_pb2.TensorProto) -> list[str]:
    """Writes each row of a tensor.

    Args:
        name: The output's name; one that ends in `_bytes` has its strings in base64.
        proto: The tensor, at least of rank 1.

    Returns:
        One JSON text for each index of the first dimension.

    Raises:
        RequestError: If the dtype cannot be written as JSON.
    """
    if proto.dtype not in _FLOATS | _OTHERS:
        raise invalid_argument(
            f"Failed to write JSON value for tensor type: {tensors.dtype_name(proto.dtype)} (output {name})"
        )
    array = tensors.to_array(proto)
    if proto.dtype in _FLOATS and array.size:
        return _float_rows(array.astype(np.float32))
    if proto.dtype == types_pb2.DT_STRING:
        array = _mapped(_base64 if name.endswith(_BYTES_SUFFIX) else _text, array)
    return [json_text(row) for row in array.tolist()]


def write_tensor(name: str, proto: tensor_pb2.TensorProto) -> str:
    """Writes a tensor of any rank as `write_rows` writes a row; a scalar without a list."""
    if proto.tensor_shape.dim:
        return f"[{','.join(write_rows(name, proto))}]"
    row = tensor_pb2.TensorProto()
    row.CopyFrom(proto)
    row.tensor_shape.dim.add(size=1)
    return write_rows(name, row)[0]


def write_floats(values: Any) -> list[str]:
    """Writes float32 numbers with as few digits as identify them."""
    return _float_rows(np.asarray(values, np.float32)) if len(values) else []


def json_text(value: Any) -> str:
    """Writes a JSON value without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _float_rows(array: np.ndarray) -> list[str]:
    """Formats all numbers in one operation, with a format string nested like the lists."""
    values = _shortened(array.ravel())
    parts = _formats(values).tolist()
    for size in reversed(array.shape[1:]):
        parts = [f"[{','.join(parts[start : start + size])}]" for start in range(0, len(parts), size)]
    return ("\n".join(parts) % tuple(values.tolist())).split("\n")


def _formats(values: np.ndarray) -> np.ndarray:
    # Nine digits identify every float32 number, and %g writes no trailing zeros. Whole numbers get a decimal point, as
    # in TensorFlow Serving, for readers that rely on it.
    formats = np.where((values == np.rint(values)) & (np.abs(values) < 1e9), "%.1f", "%.9g").astype(np.object_)
    finite = np.isfinite(values)
    if not finite.all():
        formats[np.isnan(values)] = "%.0sNaN"  # writes nothing of the value
        formats[np.isposinf(values)] = "%.0sInfinity"
        formats[np.isneginf(values)] = "%.0s-Infinity"
    return formats


def _shortened(array: np.ndarray) -> np.ndarray:
    """Rounds to the fewest decimal digits that still round to the same float32; returns doubles.

    Seven digits suffice whenever fewer do: the others are zeros then.
    """
    with np.errstate(all="ignore"):
        exact = array.astype(np.float64)
        shortened = exact.copy()
        open_ = np.isfinite(exact) & (exact != 0)
        exponents = np.floor(np.log10(np.abs(exact), where=open_, out=np.zeros_like(exact))).astype(np.int64)
        for digits in (7, 8):
            scale = _POWERS[np.clip(digits - 1 - exponents, 0, len(_POWERS) - 1)]
            rounded = np.rint(exact * scale) / scale
            found = open_ & (rounded.astype(np.float32) == array)
            shortened[found] = rounded[found]
            open_ &= ~found
    return shortened


def _mapped(convert: Callable[[bytes], Any], array: np.ndarray) -> np.ndarray:
    converted = np.empty(array.size, np.object_)
    converted[:] = [convert(value) for value in array.ravel()]
    return converted.reshape(array.shape)


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:  # TensorFlow Serving writes such bytes unchanged, which is not JSON
        return _base64(value)
