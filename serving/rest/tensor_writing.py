"""Writes tensors as nested JSON lists."""

import base64
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.core.errors import invalid_argument
from serving.wire import tensors

# As in TensorFlow Serving, half, bfloat16 and uint16 have no JSON form.
_DTYPES = {
    *(types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_BOOL, types_pb2.DT_STRING),
    *(types_pb2.DT_INT8, types_pb2.DT_INT16, types_pb2.DT_INT32, types_pb2.DT_INT64),
    *(types_pb2.DT_UINT8, types_pb2.DT_UINT32, types_pb2.DT_UINT64),
}
_BYTES_SUFFIX = "_bytes"
# The decimal powers that a double holds exactly.
_POWERS = 10.0 ** np.arange(23)
_DIGITS = 6


def write_rows(name: str, proto: tensor_pb2.TensorProto) -> list[str]:
    """Writes each row of a tensor.

    Args:
        name: The output's name; one that ends in `_bytes` has its strings in base64.
        proto: The tensor, at least of rank 1.

    Returns:
        One JSON text for each index of the first dimension. As in TensorFlow Serving, bytes that are not UTF-8 go as
        they are (as surrogate escapes, here) unless the output's name says that it holds bytes.

    Raises:
        RequestError: If the dtype cannot be written as JSON.
    """
    array = tensors.to_array(proto)
    if proto.dtype not in _DTYPES and array.size:
        raise invalid_argument(f"Failed to write JSON value for tensor type: {tensors.dtype_name(proto.dtype)}")
    if proto.dtype == types_pb2.DT_FLOAT and array.size:
        return _float_rows(array)
    if proto.dtype == types_pb2.DT_DOUBLE:
        array = _mapped(_double_text, array)
        return [json_text(row).replace('"', "") for row in array.tolist()]
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
    """Writes float32 numbers as TensorFlow Serving does: with six digits if these identify them, or else with nine."""
    return _float_rows(np.asarray(values, np.float32)) if len(values) else []


def json_text(value: Any) -> str:
    """Writes a JSON value without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _float_rows(array: np.ndarray) -> list[str]:
    """Formats all numbers in one operation, with a format string nested like the lists."""
    values = array.ravel()
    parts = _formats(values).tolist()
    for size in reversed(array.shape[1:]):
        parts = [f"[{','.join(parts[start : start + size])}]" for start in range(0, len(parts), size)]
    return ("\n".join(parts) % tuple(values.tolist())).split("\n")


def _formats(values: np.ndarray) -> np.ndarray:
    """Returns a format for each; those that write whole numbers without an exponent add a decimal point."""
    short, whole, size = _fit_six_digits(values), values == np.rint(values), np.abs(values)
    formats = np.where(short, "%g", "%.9g").astype(np.object_)
    formats[whole & np.where(short, size < 1e6, size < 1e9)] += ".0"
    finite = np.isfinite(values)
    if not finite.all():
        formats[np.isnan(values)] = "%.0sNaN"  # writes nothing of the value
        formats[np.isposinf(values)] = "%.0sInfinity"
        formats[np.isneginf(values)] = "%.0s-Infinity"
    return formats


def _fit_six_digits(values: np.ndarray) -> np.ndarray:
    """Returns which float32 numbers six decimal digits identify."""
    exact = values.astype(np.float64)
    with np.errstate(all="ignore"):
        exponents = np.floor(np.log10(np.abs(exact)))
        shift = np.nan_to_num(_DIGITS - 1 - exponents, nan=0.0, posinf=0.0, neginf=0.0).astype(np.int64)
        power = _POWERS[np.clip(np.abs(shift), 0, len(_POWERS) - 1)]
        rounded = np.where(shift < 0, np.rint(exact / power) * power, np.rint(exact * power) / power)
        fit = rounded.astype(np.float32) == values
    for index in np.flatnonzero(np.abs(shift) >= len(_POWERS)):  # no double holds their power of ten
        fit[index] = np.float32(float(f"{exact[index]:g}")) == values[index]
    return fit


def _double_text(value: float) -> str:
    """Writes a double with six digits if these identify it, or else with seventeen."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    text = f"{value:g}"
    if float(text) != value:
        text = f"{value:.17g}"
    return text if "." in text or "e" in text else f"{text}.0"


def _mapped(convert: Callable[[Any], Any], array: np.ndarray) -> np.ndarray:
    converted = np.empty(array.size, np.object_)
    converted[:] = [convert(value) for value in array.ravel()]
    return converted.reshape(array.shape)


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
