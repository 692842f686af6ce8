"""Cuts a large call into parts whose messages stay below a limit, in both directions."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from serving.client.connection import Target
from serving.client.specs import SignatureSpec, TensorSpec

# Beside its values, a message carries the model's name, the version, the signature's and the tensors' names,
# and their dtypes and sizes: at most so much, besides the names themselves.
_MESSAGE_BYTES = 24
_TENSOR_BYTES = 24
_DIMENSION_BYTES = 12


def cut(
    arrays: Mapping[str, np.ndarray],
    signature: SignatureSpec,
    outputs: Sequence[str],
    target: Target,
    name: str,
    limit: int,
) -> list[slice]:
    """Divides a call's rows so that each part's request and answer are below a limit.

    The answer's size is taken from the metadata's shapes; of an output whose size they leave open, a row is
    taken to be as large as a row of the request.

    Args:
        arrays: The inputs by name, as they fit the signature.
        signature: What the signature takes and gives.
        outputs: The outputs wanted; all when empty.
        target: The model asked for.
        name: The signature's name.
        limit: The bytes a message may have.

    Returns:
        The rows of each part, in order; one part, of all rows, where the call is small enough or cannot be
        divided: an input or output has no batch dimension, or the inputs have different numbers of rows. A
        part has one row at least, however large.
    """
    rows = _rows(arrays, signature, outputs)
    if rows is None:
        return [slice(None)]
    wanted = {output: signature.outputs[output] for output in outputs or signature.outputs}
    names = len(target.model) + len(target.version_label or "") + len(name) + sum(len(key) + 2 for key in outputs)
    room = limit - _MESSAGE_BYTES - names - sum(_header(key, array.ndim) for key, array in arrays.items())
    room_back = (
        limit - _MESSAGE_BYTES - names - sum(_header(key, len(spec.shape or ())) for key, spec in wanted.items())
    )
    none = np.zeros(rows, np.int64)
    row_bytes = sum((_row_bytes(array) for array in arrays.values()), none)
    sent = np.cumsum(row_bytes)
    answered = np.cumsum(sum((_answer_row_bytes(spec, row_bytes) for spec in wanted.values()), none))
    parts = []
    start = 0
    while start < rows:
        stop = min(_reach(sent, start, room), _reach(answered, start, room_back))
        parts.append(slice(start, stop))
        start = stop
    return parts


def _reach(total: np.ndarray, start: int, room: int) -> int:
    """Returns where a part must stop that begins at `start`, given the bytes of the first rows together."""
    before = int(total[start - 1]) if start else 0
    return max(int(np.searchsorted(total, before + room, side="right")), start + 1)


def _rows(arrays: Mapping[str, np.ndarray], signature: SignatureSpec, outputs: Iterable[str]) -> int | None:
    """Returns the number of rows; None where there is none in common, or nothing to divide."""
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
    """Returns the most bytes each row takes in an answer, whose values may each be written as a varint."""
    sizes = (spec.shape or ())[1:]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or spec.dtype.hasobject:
        return unknown
    itemsize = spec.dtype.itemsize
    if spec.dtype.kind == "i":
        itemsize = 10  # a negative value, of whatever width
    elif spec.dtype.kind == "u" or itemsize == 2:
        itemsize = math.ceil(8 * itemsize / 7)
    return np.full(len(unknown), itemsize * math.prod(known), np.int64)


def _header(name: str, dimensions: int) -> int:
    return _TENSOR_BYTES + len(name) + _DIMENSION_BYTES * dimensions
