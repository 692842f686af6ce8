"""The inputs and outputs of a model's signatures, as its server describes them."""

from typing import Any, NamedTuple

import numpy as np

from ..wire import tensors
from ..wire.protocol import format_shape


class TensorSpec(NamedTuple):
    """A tensor's dtype and shape.

    Attributes:
        dtype: The NumPy dtype; `object`, holding bytes, for strings.
        shape: The sizes, None where any size is allowed; None if any number of dimensions is.
    """

    dtype: np.dtype
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        return f"{_dtype_name(self.dtype)} {format_shape(self.shape)}"

    def admits(self, shape: tuple[int, ...]) -> bool:
        """Returns whether an array's shape fits."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            expected in (None, size) for size, expected in zip(shape, self.shape, strict=True)
        )


class SignatureSpec(NamedTuple):
    """A signature's inputs and outputs, by name."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]

    def takes(self) -> str:
        """Writes the inputs as `seed int64 [?], x float32 [?,3]`."""
        return ", ".join(f"{name} {spec}" for name, spec in sorted(self.inputs.items()))


def format_array(array: np.ndarray) -> str:
    """Writes an array's dtype and shape as `float32 [2,3]`."""
    return f"{_dtype_name(array.dtype)} {format_shape(array.shape)}"


def _dtype_name(dtype: np.dtype) -> str:
    return "string" if dtype.kind in "OSU" else str(dtype)


def read_signatures(signature_map: Any) -> dict[str, SignatureSpec]:
    """Reads the signatures out of a `SignatureDefMap`.

    Args:
        signature_map: The message.

    Returns:
        The signatures by name, except those with a tensor that NumPy has no dtype for, such as the one that every
        SavedModel has for its own initialization.
    """
    signatures = {}
    for name, definition in signature_map.signature_def.items():
        tensor_infos = [*definition.inputs.values(), *definition.outputs.values()]
        if all(tensors.numpy_dtype(info.dtype) is not None for info in tensor_infos):
            signatures[name] = SignatureSpec(_read_specs(definition.inputs), _read_specs(definition.outputs))
    return signatures


def _read_specs(infos: Any) -> dict[str, TensorSpec]:
    specs = {}
    for name, info in infos.items():
        dtype = tensors.numpy_dtype(info.dtype)
        assert dtype is not None, "checked by the caller"
        sizes = tuple(dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim)
        specs[name] = TensorSpec(dtype, None if info.tensor_shape.unknown_rank else sizes)
    return specs
