"""`Signature`: one signature of a loaded SavedModel, which checks a request's tensors and runs the function."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.core.batching import BatchedExecutable
from serving.core.deadline import Deadline
from serving.core.errors import RequestError, invalid_argument
from serving.core.executable import Runner
from serving.wire import tensors
from serving.wire.protocol import MAX_GRPC_MESSAGE_BYTES


class Signature:
    """A signature, ready to be called with a request's tensors.

    Attributes:
        name: Its name.
        definition: Its inputs, outputs and method.
    """

    def __init__(self, name: str, definition: meta_graph_pb2.SignatureDef, runner: Runner) -> None:
        """Prepares everything that does not depend on a request.

        Args:
            name: The signature's name.
            definition: Its inputs and outputs.
            runner: Runs it, with inputs and outputs in the order of their names.
        """
        self.name = name
        self.definition = definition
        self._inputs = {alias: definition.inputs[alias] for alias in sorted(definition.inputs)}
        self._defaults = dict(definition.defaults)
        self._outputs = sorted(definition.outputs)
        self._places = {alias: place for place, alias in enumerate(self._outputs)}
        # A session feeds tensors in the order of their own names.
        self._feed_order = sorted(self._inputs, key=lambda alias: self._inputs[alias].name)
        self._row_bytes = sum(_row_bytes(info) for info in definition.outputs.values())
        self._runner = runner

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
        self._check_size(inputs)
        arrays, dtypes = self._parse(inputs)
        requested = self._requested(output_filter)
        self._check_dtypes(dtypes)
        self._check_answer_size(arrays)
        if deadline is not None:
            deadline.check()
        try:
            outputs = self._runner(list(arrays.values()), [self._places[alias] for alias in requested], deadline)
        except tf.errors.DeadlineExceededError:
            if deadline is None:
                raise
            raise deadline.error() from None
        return dict(zip(requested, outputs, strict=True))

    def batch_sizes(self) -> Counter[int]:
        """Returns how often a batch of each size has run."""
        return self._runner.batch_sizes() if isinstance(self._runner, BatchedExecutable) else Counter()

    def _check_size(self, inputs: Collection[str]) -> None:
        if len(inputs) == len(self._inputs) or (self._defaults and len(inputs) < len(self._inputs)):
            return
        sent, known = set(inputs), self._inputs.keys()
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(known)} len({_braced(sent)}) !="
            f" len({_braced(known)}). Sent extra: {_braced(sent - known)}."
            f" Missing but required: {_braced(known - sent)}."
        )

    def _parse(self, inputs: Mapping[str, tensor_pb2.TensorProto]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
        """Returns arrays and dtypes by name, in the order of the names."""
        arrays, dtypes = {}, {}
        used = 0
        for alias, info in self._inputs.items():
            if alias in inputs:
                proto = inputs[alias]
                used += 1
            elif alias in self._defaults:
                proto = self._defaults[alias]
            else:
                raise invalid_argument(
                    f"Signature input alias: {alias}(feed name: {info.name}) not found in request and no default value"
                    f" provided. Inputs expected to be in the request {_braced(inputs)},"
                    f" or default input alias set: {_joined(self._defaults)}"
                )
            try:
                arrays[alias] = tensors.to_array(proto)
            except ValueError as error:
                raise invalid_argument(f"tensor parsing error: {alias}") from error
            dtypes[alias] = proto.dtype
        if used != len(inputs):
            known = self._inputs.keys() & set(inputs)
            raise invalid_argument(
                f"Inputs contains invalid name. Used request inputs: {_joined(known)}, request input: {_joined(inputs)}"
            )
        return arrays, dtypes

    def _requested(self, output_filter: Sequence[str]) -> Sequence[str]:
        seen = set()
        for alias in output_filter:
            if alias not in self._outputs:
                raise invalid_argument(
                    f"output tensor alias not found in signature: {alias}"
                    f" Outputs expected to be in the set {_braced(self._outputs)}."
                )
            if alias in seen:
                raise invalid_argument(f"duplicate output tensor alias: {alias}")
            seen.add(alias)
        return output_filter or self._outputs

    def _check_dtypes(self, dtypes: Mapping[str, int]) -> None:
        for index, alias in enumerate(self._feed_order):
            expected = self._inputs[alias].dtype % tensors.REFERENCE
            if dtypes[alias] != expected:
                names = tensors.dtype_name(expected), tensors.dtype_name(dtypes[alias])
                raise invalid_argument(f"Expects arg[{index}] to be {names[0]} but {names[1]} is provided")

    def _check_answer_size(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Refuses work whose answer cannot be sent: a few bytes of seeds can ask for gigabytes of images."""
        rows = max((len(array) for array in arrays.values() if array.ndim), default=0)
        size = rows * self._row_bytes
        if size > MAX_GRPC_MESSAGE_BYTES:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f'signature "{self.name}": expected an answer of at most {MAX_GRPC_MESSAGE_BYTES} bytes,'
                f" received {rows} rows that make {size}."
                f" Send at most {MAX_GRPC_MESSAGE_BYTES // self._row_bytes} rows per request.",
            )


def _row_bytes(info: meta_graph_pb2.TensorInfo) -> int:
    """Returns the bytes of an output per row of the input; 0 if not known in advance."""
    sizes = [dim.size for dim in info.tensor_shape.dim]
    dtype = tensors.numpy_dtype(info.dtype)
    if dtype is None or dtype.hasobject or not sizes or sizes[0] >= 0 or min(sizes[1:], default=0) < 0:
        return 0
    return math.prod(sizes[1:]) * dtype.itemsize


def _braced(names: Collection[str]) -> str:
    return "{" + _joined(names) + "}"


def _joined(names: Collection[str]) -> str:
    return ",".join(sorted(names))
