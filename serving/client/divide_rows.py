"""Divides a large call into parts of rows that stay below a limit of bytes, and of rows if the server has one."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .connection import Target
from .specs import SignatureSpec, TensorSpec

# In addition to its values, a message carries the model's name, the version, the signature's and the tensors' names,
# and their dtypes and sizes: at most this much, not counting the names themselves.
_MESSAGE_BYTES = 24
_TENSOR_BYTES = 24
_DIMENSION_BYTES = 12


def divide_rows(
    arrays: Mapping[str, np.ndarray],
    signature: SignatureSpec,
    outputs: Sequence[str],
    target: Target,
    name: str,
    limit: int,
    max_rows: int | None = None,
) -> list[slice]:
    """Divides a call's rows so that each part's request and answer are below a limit.

    The answer's size follows from the shapes in the metadata. Where they leave an output's size open, its rows are
    assumed to be as large as the request's.

    Args:
        arrays: The inputs by name, already checked against the signature.
        signature: The signature's inputs and outputs.
        outputs: The outputs to return; all if empty.
        target: The model.
        name: The signature's name.
        limit: The most bytes in a message.
        max_rows: The most rows in a request, if the server batches requests.

    Returns:
        The rows of each part, in order; a single part with all rows if the call is small enough or cannot be divided,
        because an input or output has no batch dimension or the inputs differ in their number of rows. A part has at
        least one row, however large.
    """
    rows = _rows(arrays, signature, outputs)
    if rows is None:
        return [slice(None)]
    answer_specs = {output: signature.outputs[output] for output in outputs or signature.outputs}
    names = len(target.model) + len(target.version_label or "") + len(name) + sum(len(key) + 2 for key in outputs)
    room = limit - _MESSAGE_BYTES - names - sum(_header(key, array.ndim) for key, array in arrays.items())
    room_back = (
        limit - _MESSAGE_BYTES - names - sum(_header(key, len(spec.shape or ())) for key, spec in answer_specs.items())
    )
    zero = np.zeros(rows, np.int64)
    row_bytes = sum((_row_bytes(array) for array in arrays.values()), zero)
    sent = np.cumsum(row_bytes)
    answered = np.cumsum(sum((_answer_row_bytes(spec, row_bytes) for spec in answer_specs.values()), zero))
    parts = []
    start = 0
    while start < rows:
        stop = min(_reach(sent, start, room), _reach(answered, start, room_back), start + (max_rows or rows))
        parts.append(slice(start, stop))
        start = stop
    return parts


def _reach(total: np.ndarray, start: int, room: int) -> int:
    """Returns where a part that starts at `start` must stop, given the cumulative bytes of the rows."""
    before = int(total[start - 1]) if start else 0
    return max(int(np.searchsorted(total, before + room, side="right")), start + 1)


def _rows(arrays: Mapping[str, np.ndarray], signature: SignatureSpec, outputs: Iterable[str]) -> int | None:
    """Returns the number of rows; None if the inputs have none in common, or there is nothing to divide."""
    specs = [*signature.inputs.values(), *(signature.outputs.get(key) for key in outputs or signature.outputs)]
    if not all(spec is not None and spec.shape and spec.shape[0] is None for spec in specs):
        return None
    sizes = {len(array) for array in arrays.values()}
    return sizes.pop() or None if len(sizes) == 1 else None


def _row_bytes(array: np.ndarray) -> np.ndarray:
    """Returns the bytes each row takes in a request."""
    if not array.dtype.hasobject:
        return np.full(len(array), array.nbytes // len(array), np.int64)
    lengths = [len(text) + (2 if len(text) < 128 else 6) for text in array.ravel()]
    return np.asarray(lengths, np.int64).reshape(len(array), -1).sum(axis=1)


def _answer_row_bytes(spec: TensorSpec, unknown: np.ndarray) -> np.ndarray:
    """Returns the most bytes per row of an answer, whose values may each be written as a varint."""
    sizes = (spec.shape or ())[1:]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or spec.dtype.hasobject:
        return unknown
    itemsize = spec.dtype.itemsize
    if spec.dtype.kind == "i":
        itemsize = 10  # a negative value, of any width
    elif spec.dtype.kind == "u" or itemsize == 2:
        itemsize = math.ceil(8 * itemsize / 7)
    return np.full(len(unknown), itemsize * math.prod(known), np.int64)


def _header(name: str, dimensions: int) -> int:
    return _TENSOR_BYTES + len(name) + _DIMENSION_BYTES * dimensions
