"""`Signature`: one signature of a loaded SavedModel, which checks a request's tensors and runs the function."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.core.batching import BatchedExecutable, Batching
from serving.core.deadline import Deadline
from serving.core.errors import RequestError, invalid_argument
from serving.core.executable import Executable
from serving.wire import tensors
from serving.wire.protocol import MAX_MESSAGE_BYTES, format_shape


class Signature:
    """A signature, ready to be called with a request's tensors.

    Attributes:
        name: Its name.
        definition: Its inputs, outputs and method.
    """

    def __init__(
        self,
        name: str,
        definition: meta_graph_pb2.SignatureDef,
        function: Callable[..., dict[str, Any]],
        batching: Batching | None = None,
        queue: str = "",
    ) -> None:
        """Prepares everything that does not depend on a request.

        Args:
            name: The signature's name.
            definition: Its inputs and outputs.
            function: The loaded function, called with the inputs by name.
            batching: How to batch requests; None for no batching.
            queue: The name of the queue in which its requests wait for a batch.

        Raises:
            ValueError: If an input or output is of a kind that requests cannot carry.
        """
        self.name = name
        self.definition = definition
        self._inputs = {alias: definition.inputs[alias] for alias in sorted(definition.inputs)}
        self._defaults = dict(definition.defaults)
        self._outputs = sorted(definition.outputs)
        self._shapes = {alias: tf.TensorShape(info.tensor_shape) for alias, info in self._inputs.items()}
        self._sizes = {
            alias: shape.as_list() if shape.rank is not None else None for alias, shape in self._shapes.items()
        }
        self._row_bytes = sum(_row_bytes(info) for info in definition.outputs.values())
        specs = [tf.TensorSpec(self._shapes[alias], info.dtype) for alias, info in self._inputs.items()]

        def call(*operands: tf.Tensor) -> list[tf.Tensor]:
            outputs = function(**dict(zip(self._inputs, operands, strict=True)))
            return [outputs[alias] for alias in self._outputs]

        self._executable: Executable | BatchedExecutable = (
            Executable(call, specs) if batching is None else BatchedExecutable(call, specs, batching, queue)
        )

    def run(
        self,
        inputs: Mapping[str, tensor_pb2.TensorProto],
        output_filter: Sequence[str] = (),
        deadline: Deadline | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs the function, after checks in TensorFlow Serving's order.

        Args:
            inputs: The request's tensors by name; those with a default may be missing.
            output_filter: The outputs to return; all if empty.
            deadline: Stops the work.

        Returns:
            The requested outputs by name.

        Raises:
            RequestError: If an input or a filter does not fit the signature, or time is up.
            tf.errors.OpError: If a kernel refuses its input.
        """
        if self._defaults:
            inputs = {**self._defaults, **inputs}
        self._check_names(inputs)
        arrays = {alias: _parsed(alias, inputs[alias]) for alias in self._inputs}
        requested = self._requested(output_filter)
        for index, alias in enumerate(self._inputs):
            self._check_dtype(index, alias, inputs[alias].dtype)
            self._check_shape(alias, arrays[alias].shape)
        self._check_answer_size(arrays)
        operands = [tf.constant(array) for array in arrays.values()]
        if deadline is not None:
            deadline.check()
        try:
            outputs = self._executable(operands, deadline)
        except tf.errors.CancelledError:
            if deadline is not None and deadline.manager.is_cancelled:
                raise deadline.error() from None
            raise
        by_alias = dict(zip(self._outputs, outputs, strict=True))
        return {alias: by_alias[alias].numpy() for alias in requested}

    def batch_sizes(self) -> Counter[int]:
        """Returns how often a batch of each size has run."""
        return self._executable.batch_sizes() if isinstance(self._executable, BatchedExecutable) else Counter()

    def _check_names(self, inputs: Collection[str]) -> None:
        sent, known = set(inputs), self._inputs.keys()
        if sent == known:
            return
        if len(sent) != len(known):
            problem = (
                f"input size does not match signature: {len(sent)}!={len(known)}"
                f" len({_braced(sent)}) != len({_braced(known)})"
            )
        else:
            problem = f"input names do not match signature: {_braced(sent)} != {_braced(known)}"
        raise invalid_argument(
            f"{problem}. Sent extra: {_braced(sent - known)}. Missing but required: {_braced(known - sent)}."
        )

    def _requested(self, output_filter: Sequence[str]) -> Sequence[str]:
        seen = set()
        for alias in output_filter:
            if alias not in self._outputs:
                raise invalid_argument(
                    f"output tensor alias not found in signature: {alias}"
                    f" Outputs expected to be in the set {_braced(self._outputs)}."
                )
            if alias in seen:
                raise invalid_argument(
                    f"duplicate output tensor alias: {alias}"
                    f" Outputs expected to be in the set {_braced(self._outputs)}."
                )
            seen.add(alias)
        return output_filter or self._outputs

    def _check_dtype(self, index: int, alias: str, dtype: int) -> None:
        expected = self._inputs[alias].dtype
        if dtype != expected:
            raise invalid_argument(
                f"Expects arg[{index}] to be {tensors.dtype_name(expected)} but {tensors.dtype_name(dtype)} is provided"
            )

    def _check_shape(self, alias: str, shape: tuple[int, ...]) -> None:
        sizes = self._sizes[alias]
        # TensorShape's own comparison takes longer than all other checks together.
        if sizes is not None and (
            len(shape) != len(sizes) or any(want not in (None, size) for want, size in zip(sizes, shape, strict=True))
        ):
            raise invalid_argument(
                f'input "{alias}" has shape {format_shape(shape)}'
                f' but signature "{self.name}" expects {format_shape(sizes)}'
            )

    def _check_answer_size(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Refuses work whose answer would be too large: a few bytes of seeds can ask for gigabytes of images."""
        rows = max((len(array) for array in arrays.values() if array.ndim), default=0)
        size = rows * self._row_bytes
        if size > MAX_MESSAGE_BYTES:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f'signature "{self.name}": expected an answer of at most {MAX_MESSAGE_BYTES} bytes,'
                f" received {rows} rows that make {size}."
                f" Send at most {MAX_MESSAGE_BYTES // self._row_bytes} rows per request.",
            )


def _row_bytes(info: meta_graph_pb2.TensorInfo) -> int:
    """Returns the bytes of an output per row of the input; 0 if not known in advance."""
    sizes = [dim.size for dim in info.tensor_shape.dim]
    dtype = tensors.numpy_dtype(info.dtype)
    if dtype is None or dtype.hasobject or not sizes or sizes[0] >= 0 or min(sizes[1:], default=0) < 0:
        return 0
    return math.prod(sizes[1:]) * dtype.itemsize


def _parsed(alias: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    try:
        return tensors.to_array(proto)
    except ValueError as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error


def _braced(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
