"""What makes a signature a classification, and its outputs a `ClassificationResult`."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import classification_pb2

from serving.core.example_outputs import bracketed, dtype_enum_name
from serving.core.request_error import invalid_argument

_INPUTS = tf.saved_model.CLASSIFY_INPUTS
_CLASSES = tf.saved_model.CLASSIFY_OUTPUT_CLASSES
_SCORES = tf.saved_model.CLASSIFY_OUTPUT_SCORES


def wanted_outputs(definition: meta_graph_pb2.SignatureDef) -> list[str]:
    """Checks that a signature can classify.

    As in TensorFlow Serving by default, its inputs and outputs decide and not its method name, which
    TensorFlow 2 cannot set.

    Args:
        definition: The signature.

    Returns:
        The outputs to ask for: `classes`, `scores` or both.

    Raises:
        RequestError: If it cannot.
    """
    if len(definition.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(definition.outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(definition.outputs)}")
    if _INPUTS not in definition.inputs:
        raise invalid_argument(f"No classification inputs found in SignatureDef: {definition}")
    wanted = [alias for alias in (_CLASSES, _SCORES) if alias in definition.outputs]
    if not wanted:
        raise invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}".'
            f" Signature was: {definition}"
        )
    return wanted


def result_of(outputs: Mapping[str, np.ndarray], count: int) -> classification_pb2.ClassificationResult:
    """Arranges a signature's outputs by example.

    Args:
        outputs: `classes`, strings, and `scores`, float32, either or both; of shape [count, number of classes].
        count: How many examples there were.

    Returns:
        The classes of each example.

    Raises:
        RequestError: If the outputs are not as said.
    """
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    if classes is not None:
        _check(_CLASSES, classes, np.dtype(object), count)
    if scores is not None:
        _check(_SCORES, scores, np.dtype(np.float32), count)
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


def _check(alias: str, output: np.ndarray, dtype: np.dtype, count: int) -> None:
    if output.ndim != 2:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {bracketed(output.shape)}")
    if output.dtype != dtype:
        raise invalid_argument(
            f"Expected {alias} Tensor of {dtype_enum_name(dtype)}. Got: {dtype_enum_name(output.dtype)}"
        )
    if len(output) != count:
        raise invalid_argument(f"Expected {alias} output batch size of {count}. Got: {len(output)}")


def _labels(classes: np.ndarray) -> list[str]:
    try:
        return [label.decode() for label in classes]
    except UnicodeDecodeError as error:
        raise invalid_argument(f"Expected class labels in UTF-8. Got: {error.object!r}") from error
