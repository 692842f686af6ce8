"""Checks and casts a caller's inputs to what a signature takes, before anything is sent."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..wire.protocol import format_shape
from .specs import SignatureSpec, TensorSpec


def fit_inputs(
    inputs: Mapping[str, Any], condition: Any, signature: SignatureSpec, asked: str
) -> dict[str, np.ndarray]:
    """Checks names and shapes, and casts where that loses no value.

    Args:
        inputs: The arrays, or what NumPy converts to arrays, by name.
        condition: The input `condition`, one per row or one for all; None if the inputs are complete.
        signature: The signature's inputs, as the server describes them.
        asked: The model and signature, for error messages.

    Returns:
        The arrays in the signature's dtypes.

    Raises:
        ValueError: If they do not fit.
    """
    given = _with_condition(inputs, condition, asked)
    if given.keys() != signature.inputs.keys():
        raise ValueError(
            f"{asked}: expected the inputs {sorted(signature.inputs)}, received {sorted(given)}. Pass each by name."
        )
    arrays = {
        name: _as_array(value, f"{asked}, input {name!r}", signature.inputs[name]) for name, value in given.items()
    }
    if condition is not None:
        arrays["condition"] = _for_each_row(arrays, signature.inputs["condition"], asked)
    return {name: _fit(array, signature.inputs[name], f"{asked}, input {name!r}") for name, array in arrays.items()}


def unfitted(inputs: Mapping[str, Any], condition: Any, asked: str) -> dict[str, np.ndarray]:
    """Makes arrays for a signature that the metadata does not describe.

    Args:
        inputs: As for `fit_inputs`.
        condition: As for `fit_inputs`.
        asked: The model and signature, for error messages.

    Returns:
        The arrays.

    Raises:
        ValueError: If NumPy cannot convert one to an array.
    """
    arrays = {}
    for name, value in _with_condition(inputs, condition, asked).items():
        array = _as_array(value, f"{asked}, input {name!r}")
        arrays[name] = _as_bytes(array, asked) if array.dtype.kind in "SU" else array
    return arrays


def _with_condition(inputs: Mapping[str, Any], condition: Any, asked: str) -> dict[str, Any]:
    if condition is None:
        return dict(inputs)
    if "condition" in inputs:
        raise ValueError(
            f"{asked}: expected one condition, received one in inputs and one as the argument. Remove one of them."
        )
    return {**inputs, "condition": condition}


def _for_each_row(arrays: Mapping[str, np.ndarray], spec: TensorSpec, asked: str) -> np.ndarray:
    """Repeats the condition for each row if there is one for all rows."""
    condition = arrays["condition"]
    others = [array for name, array in arrays.items() if name != "condition"]
    if spec.shape is None or not others:
        return condition
    rows = len(np.atleast_1d(others[0]))
    if condition.ndim == len(spec.shape) - 1:
        return np.broadcast_to(condition, (rows, *condition.shape))
    if condition.ndim and len(condition) != rows:
        raise ValueError(f"{asked}: expected one condition, or {rows} (one per row), received {len(condition)}.")
    return condition


def _as_array(value: Any, asked: str, spec: TensorSpec | None = None) -> np.ndarray:
    # NumPy's own string dtypes would drop the zeros at the end of bytes.
    strings = spec is not None and spec.dtype.hasobject and not isinstance(value, np.ndarray)
    try:
        return np.asarray(value, np.object_ if strings else None)
    except (ValueError, OverflowError) as error:
        expected = spec if spec is not None else "an array"
        raise ValueError(
            f"{asked}: expected {expected}, received a value NumPy cannot convert ({error}). Pass an array."
        ) from error


def _fit(array: np.ndarray, spec: TensorSpec, asked: str) -> np.ndarray:
    if not spec.admits(array.shape):
        raise ValueError(f"{asked}: expected shape {format_shape(spec.shape)}, received {format_shape(array.shape)}.")
    return _cast(array, spec, asked)


def _cast(array: np.ndarray, spec: TensorSpec, asked: str) -> np.ndarray:
    if array.dtype == spec.dtype and not spec.dtype.hasobject:
        return array
    if spec.dtype.hasobject:
        return _as_bytes(array, asked)
    if not array.size and array.dtype == np.asarray([]).dtype:
        return array.astype(spec.dtype)  # an empty list has no dtype of its own
    if not _fits(array, spec.dtype):
        received = f"{array.dtype} that cannot be cast without loss"
        if array.dtype.kind in "iu" and spec.dtype.kind in "iu":
            received = f"values from {int(array.min())} to {int(array.max())} that cannot be cast without loss"
        raise ValueError(f"{asked}: expected {spec.dtype}, received {received}. Pass values of that dtype.")
    return array.astype(spec.dtype)


def _fits(array: np.ndarray, dtype: np.dtype) -> bool:
    """Returns whether a cast keeps every value: exactly for integers, to the dtype's precision for floats."""
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
        raise ValueError(f"{asked}: expected strings, received {array.dtype}.")
    flat = [item.encode() if isinstance(item, str) else item for item in array.ravel().tolist()]
    if not all(isinstance(item, bytes) for item in flat):
        raise ValueError(f"{asked}: expected strings, received an array that holds other objects.")
    strings = np.empty(len(flat), np.object_)
    strings[:] = flat
    return strings.reshape(array.shape)
