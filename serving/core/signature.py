"""One signature of a loaded SavedModel: checks a request's tensors and runs the function."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.core.request_error import invalid_argument
from serving.wire import tensors


class Signature:
    """A signature, ready to be called with what a request carries."""

    def __init__(
        self, name: str, definition: meta_graph_pb2.SignatureDef, function: Callable[..., dict[str, Any]]
    ) -> None:
        """Prepares a signature once, so that a request need not.

        Args:
            name: The signature's name.
            definition: Its inputs and outputs.
            function: The loaded function, called with the inputs by name.
        """
        self.name = name
        self._function = function
        self._inputs = {alias: definition.inputs[alias] for alias in sorted(definition.inputs)}
        self._shapes = {alias: tf.TensorShape(info.tensor_shape) for alias, info in self._inputs.items()}
        self._outputs = sorted(definition.outputs)

    def run(self, inputs: Mapping[str, tensor_pb2.TensorProto], output_filter: Sequence[str]) -> dict[str, np.ndarray]:
        """Runs the function, checking in TensorFlow Serving's order.

        Args:
            inputs: The request's tensors by name.
            output_filter: The outputs wanted; all when empty.

        Returns:
            The outputs wanted, by name.

        Raises:
            RequestError: If an input or a filter does not fit the signature.
            tf.errors.OpError: If a kernel refuses what it is given.
        """
        self._check_names(inputs)
        arrays = {alias: _parsed(alias, inputs[alias]) for alias in self._inputs}
        wanted = self._wanted(output_filter)
        for index, alias in enumerate(self._inputs):
            self._check_dtype(index, alias, inputs[alias].dtype)
            self._check_shape(alias, arrays[alias].shape)
        outputs = self._function(**{alias: tf.constant(array) for alias, array in arrays.items()})
        return {alias: outputs[alias].numpy() for alias in wanted}

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

    def _wanted(self, output_filter: Sequence[str]) -> Sequence[str]:
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
        if not self._shapes[alias].is_compatible_with(shape):
            raise invalid_argument(
                f'input "{alias}" has shape {_bracketed(shape)}'
                f' but signature "{self.name}" expects {_bracketed(self._shapes[alias])}'
            )


def _parsed(alias: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    try:
        return tensors.to_array(proto)
    except ValueError as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error


def _braced(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _bracketed(shape: Sequence[int | None]) -> str:
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"
