"""Classify and Regress: which signatures they fit, and how a signature's outputs become their result message."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from serving.core.errors import invalid_argument
from serving.wire.protocol import format_shape

_CLASSES = tf.saved_model.CLASSIFY_OUTPUT_CLASSES
_SCORES = tf.saved_model.CLASSIFY_OUTPUT_SCORES
_VALUES = tf.saved_model.REGRESS_OUTPUTS


class Method(NamedTuple):
    """One way to read a signature's answer.

    As in TensorFlow Serving by default, a signature's inputs and outputs decide whether it fits, and not its method
    name, which TensorFlow 2 cannot set.

    Attributes:
        required_outputs: Checks that a signature fits, and returns the outputs to ask for; raises `RequestError` if it
            does not.
        result_of: Makes the result message of those outputs and the number of examples; raises `RequestError` if they
            do not have the dtypes and shapes that it needs.
    """

    required_outputs: Callable[[meta_graph_pb2.SignatureDef], list[str]]
    result_of: Callable[[Mapping[str, np.ndarray], int], Any]


def _class_outputs(definition: meta_graph_pb2.SignatureDef) -> list[str]:
    if len(definition.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(definition.outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(definition.outputs)}")
    if tf.saved_model.CLASSIFY_INPUTS not in definition.inputs:
        raise invalid_argument(f"No classification inputs found in SignatureDef: {definition}")
    required = [alias for alias in (_CLASSES, _SCORES) if alias in definition.outputs]
    if not required:
        raise invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}".'
            f" Signature was: {definition}"
        )
    return required


def _class_result(outputs: Mapping[str, np.ndarray], count: int) -> classification_pb2.ClassificationResult:
    """Reads `classes`, strings, and `scores`, float32, either or both; `[count, number of classes]`."""
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    if classes is not None:
        _check_classes(_CLASSES, classes, np.dtype(object), count)
    if scores is not None:
        _check_classes(_SCORES, scores, np.dtype(np.float32), count)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = classification_pb2.ClassificationResult()
    for row in range(count):
        labels = None if classes is None else _labels(classes[row])
        values = None if scores is None else scores[row].tolist()
        added = result.classifications.add().classes
        for column in range(len(labels or values or ())):
            class_ = added.add()
            if labels is not None:
                class_.label = labels[column]
            if values is not None:
                class_.score = values[column]
    return result


def _value_outputs(definition: meta_graph_pb2.SignatureDef) -> list[str]:
    if len(definition.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(definition.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if tf.saved_model.REGRESS_INPUTS not in definition.inputs:
        raise invalid_argument(f"No regression inputs found in SignatureDef: {definition}")
    if _VALUES not in definition.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {definition}")
    return [_VALUES]


def _value_result(outputs: Mapping[str, np.ndarray], count: int) -> regression_pb2.RegressionResult:
    """Reads `outputs`, float32, `[count]` or `[count, 1]`."""
    output = outputs[_VALUES]
    if not output.ndim or output.shape[1:] not in ((), (1,)):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1]"
            f" but got {format_shape(output.shape)}"
        )
    if len(output) != count:
        raise invalid_argument(f"Input batch size did not match output batch size: {count} vs. {len(output)}")
    if output.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {_dtype_enum_name(output.dtype)}")
    result = regression_pb2.RegressionResult()
    for value in output.ravel().tolist():
        result.regressions.add(value=value)
    return result


def _check_classes(alias: str, output: np.ndarray, dtype: np.dtype, count: int) -> None:
    if output.ndim != 2:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {format_shape(output.shape)}")
    if output.dtype != dtype:
        raise invalid_argument(
            f"Expected {alias} Tensor of {_dtype_enum_name(dtype)}. Got: {_dtype_enum_name(output.dtype)}"
        )
    if len(output) != count:
        raise invalid_argument(f"Expected {alias} output batch size of {count}. Got: {len(output)}")


def _labels(classes: Sequence[bytes]) -> list[str]:
    try:
        return [label.decode() for label in classes]
    except UnicodeDecodeError as error:
        raise invalid_argument(f"Expected class labels in UTF-8. Got: {error.object!r}") from error


def _dtype_enum_name(dtype: np.dtype) -> str:
    """Returns the name of a dtype's `DataType`, such as `DT_FLOAT`."""
    return types_pb2.DataType.Name(tf.as_dtype(dtype).as_datatype_enum)


CLASSIFY = Method(_class_outputs, _class_result)
REGRESS = Method(_value_outputs, _value_result)
