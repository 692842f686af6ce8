"""What makes a signature a regression, and its output a `RegressionResult`."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import regression_pb2

from serving.core.example_outputs import bracketed, dtype_enum_name
from serving.core.request_error import invalid_argument

_INPUTS = tf.saved_model.REGRESS_INPUTS
_OUTPUTS = tf.saved_model.REGRESS_OUTPUTS


def wanted_outputs(definition: meta_graph_pb2.SignatureDef) -> list[str]:
    """Checks that a signature can regress.

    As in TensorFlow Serving by default, its inputs and outputs decide and not its method name, which
    TensorFlow 2 cannot set.

    Args:
        definition: The signature.

    Returns:
        The output to ask for: `outputs`.

    Raises:
        RequestError: If it cannot.
    """
    if len(definition.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(definition.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if _INPUTS not in definition.inputs:
        raise invalid_argument(f"No regression inputs found in SignatureDef: {definition}")
    if _OUTPUTS not in definition.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {definition}")
    return [_OUTPUTS]


def result_of(outputs: Mapping[str, np.ndarray], count: int) -> regression_pb2.RegressionResult:
    """Arranges a signature's output by example.

    Args:
        outputs: `outputs`, float32 of shape [count] or [count, 1].
        count: How many examples there were.

    Returns:
        The value of each example.

    Raises:
        RequestError: If the output is not as said.
    """
    output = outputs[_OUTPUTS]
    if not output.ndim or output.shape[1:] not in ((), (1,)):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1]"
            f" but got {bracketed(output.shape)}"
        )
    if len(output) != count:
        raise invalid_argument(f"Input batch size did not match output batch size: {count} vs. {len(output)}")
    if output.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {dtype_enum_name(output.dtype)}")
    result = regression_pb2.RegressionResult()
    for value in output.ravel().tolist():
        result.regressions.add(value=value)
    return result
