"""Reads the page's requests: numbers of the right shape, or one clear line."""

import base64
import binascii
import math
from typing import Any

import numpy as np

from keras_vae.explore.sources import InputSpec

# Values in an answer, 64 MiB of float32.
_MOST_VALUES = 16 * 2**20


def numbers(value: Any, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return finite float32 of a shape, from lists or from `{"shape": [...], "float32": "<base64>"}`.

    Args:
        value: The value in the request.
        name: Its name in errors.
        shape: Its shape, None where any size will do.

    Raises:
        ValueError: If it is not that.

    Example:
        >>> numbers([[1, 2]], "z", (None, 2)).tolist()
        [[1.0, 2.0]]
    """
    expected = f"{name}: expected finite numbers of shape {_shown(shape)}"
    if value is None:
        raise ValueError(f"{expected}, received none. Pass lists of numbers.")
    array = _unpacked(value, expected) if isinstance(value, dict) else _from_lists(value, expected)
    if array.ndim != len(shape) or any(
        size is not None and size != found for size, found in zip(shape, array.shape, strict=False)
    ):
        raise ValueError(f"{expected}, received shape {_shown(array.shape)}. Pass that shape.")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{expected}, received {array[~np.isfinite(array)][0]}. Replace it by a finite number.")
    return array


def latents(value: Any, size: int, event_size: int) -> np.ndarray:
    """Return z, `[n, size]`.

    Raises:
        ValueError: If it is not that, or the answer would be too large.
    """
    z = numbers(value, "z", (None, size))
    most = max(_MOST_VALUES // event_size, 1)
    if not 1 <= len(z) <= most:
        advice = "Divide the request" if len(z) else "Send at least one"
        raise ValueError(f"z: expected 1 to {most} rows, received {len(z)}. {advice}.")
    return z


def seed(value: Any) -> int:
    """Return a seed.

    Raises:
        ValueError: If it is not an integer of 64 bits.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError(f"seed: expected an integer of up to 64 bits, received {value!r:.40}. Use 0, for example.")
    return value


def condition(value: Any, spec: InputSpec | None, classes: int | None) -> np.ndarray | None:
    """Return y of one example.

    Args:
        value: The value in the request.
        spec: What the model takes; None for a model without a condition.
        classes: The number of labels, where it is known.

    Raises:
        ValueError: If it does not fit the model.
    """
    if spec is None:
        if value is not None:
            raise ValueError("condition: expected none for this model, received one. Leave it out.")
        return None
    if spec.shape:
        return numbers(value, "condition", spec.shape).astype(spec.dtype)
    most = "" if classes is None else f" to {classes - 1}"
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not 0 <= value < (2**31 if classes is None else classes):
        raise ValueError(f"condition: expected a label from 0{most}, received {value!r:.40}. Use 0, for example.")
    return np.array(value, spec.dtype)


def _unpacked(value: dict[str, Any], expected: str) -> np.ndarray:
    shape = value.get("shape")
    try:
        if not isinstance(shape, list) or not all(isinstance(size, int) and size >= 0 for size in shape):
            raise ValueError("a shape")
        array = np.frombuffer(base64.b64decode(value["float32"], validate=True), "<f4")
        if array.size != math.prod(shape):
            raise ValueError("a size")
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ValueError(
            f"{expected}, received an object that is not base64 of little-endian float32 with its shape. Pass "
            '{"shape": [2], "float32": "AAAAAAAAgD8="}, or lists.'
        ) from None
    return array.reshape(shape).astype(np.float32)


def _from_lists(value: Any, expected: str) -> np.ndarray:
    try:
        array = np.array(value)
    except ValueError:  # lists of unequal lengths
        array = np.array(None)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{expected}, received other values. Pass lists of numbers of equal lengths.")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _shown(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("n" if size is None else str(size) for size in shape) + "]"
