"""Fits what a caller passes to what a signature takes, before anything is sent."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.client.specs import SignatureSpec, TensorSpec, format_shape


def fit_inputs(inputs: Mapping[str, Any], signature: SignatureSpec, asked: str) -> dict[str, np.ndarray]:
    """Checks names and shapes, and casts where no value is lost by it.

    Args:
        inputs: The arrays, or what NumPy makes arrays of, by name.
        signature: What the server says it takes.
        asked: The model and signature, for the error's words.

    Returns:
        The arrays in the signature's dtypes.

    Raises:
        ValueError: If they do not fit.
    """
    if inputs.keys() != signature.inputs.keys():
        raise ValueError(f"{asked} takes the inputs {sorted(signature.inputs)}; got {sorted(inputs)}")
    return {name: _fit(value, signature.inputs[name], f"{asked}, input {name!r}") for name, value in inputs.items()}


def _fit(value: Any, spec: TensorSpec, asked: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{asked}: expected {spec}; got what is no array: {error}") from error
    if not spec.admits(array.shape):
        raise ValueError(f"{asked}: expected shape {format_shape(spec.shape)}; got {format_shape(array.shape)}")
    return _cast(array, spec, asked)


def _cast(array: np.ndarray, spec: TensorSpec, asked: str) -> np.ndarray:
    if array.dtype == spec.dtype and not spec.dtype.hasobject:
        return array
    if spec.dtype.hasobject:
        return _as_bytes(array, asked)
    if not _fits(array, spec.dtype):
        raise ValueError(f"{asked}: expected {spec.dtype}; got {array.dtype}, which cannot be cast without loss")
    return array.astype(spec.dtype)


def _fits(array: np.ndarray, dtype: np.dtype) -> bool:
    """Tells whether a cast keeps every value: exactly for integers, to the dtype's precision for floats."""
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        return False
    if array.dtype.kind in "iu" and array.size:
        lowest, highest = _integer_range(dtype)
        return lowest <= int(array.min()) and int(array.max()) <= highest
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return bool(np.array_equal(np.isinf(array), np.isinf(array.astype(dtype))))
    return True


def _integer_range(dtype: np.dtype) -> tuple[int, int]:
    """Returns the range in which a dtype holds every integer exactly."""
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    exact = 2 ** (np.finfo(dtype).nmant + 1)
    return -exact, exact


def _as_bytes(array: np.ndarray, asked: str) -> np.ndarray:
    if array.dtype.kind not in "SUO":
        raise ValueError(f"{asked}: expected strings; got {array.dtype}")
    flat = [item.encode() if isinstance(item, str) else item for item in array.ravel().tolist()]
    if not all(isinstance(item, bytes) for item in flat):
        raise ValueError(f"{asked}: expected strings; got an array with other objects in it")
    strings = np.empty(len(flat), np.object_)
    strings[:] = flat
    return strings.reshape(array.shape)
