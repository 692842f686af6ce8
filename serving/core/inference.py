"""Classify and Regress on one version of a model."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import classification_pb2, model_pb2, regression_pb2

from serving.core import classification, regression
from serving.core.deadline import Deadline
from serving.core.examples import to_tensor
from serving.core.request_error import invalid_argument
from serving.core.servable import Servable
from serving.core.signature import Signature


class Method(NamedTuple):
    """One way to read a signature's answer.

    Attributes:
        wanted_outputs: Checks that a signature fits, and returns the outputs to ask for.
        result_of: Makes the result message of those outputs and the number of examples.
    """

    wanted_outputs: Callable[[meta_graph_pb2.SignatureDef], list[str]]
    result_of: Callable[[Mapping[str, np.ndarray], int], Any]


CLASSIFY = Method(classification.wanted_outputs, classification.result_of)
REGRESS = Method(regression.wanted_outputs, regression.result_of)


def classify(
    servable: Servable, request: classification_pb2.ClassificationRequest, deadline: Deadline | None = None
) -> classification_pb2.ClassificationResponse:
    """Classifies a request's examples.

    Args:
        servable: The version that answers, whichever the request names.
        request: The signature's name and the examples.
        deadline: Stops the work.

    Returns:
        The classes of each example, and the version and signature that gave them.

    Raises:
        RequestError: If the request does not fit the signature, or the signature cannot classify.
        tf.errors.OpError: If a kernel refuses what it is given.
    """
    return _answer(CLASSIFY, servable, request, classification_pb2.ClassificationResponse(), deadline)


def regress(
    servable: Servable, request: regression_pb2.RegressionRequest, deadline: Deadline | None = None
) -> regression_pb2.RegressionResponse:
    """Gives a value for each of a request's examples.

    Args:
        servable: The version that answers, whichever the request names.
        request: The signature's name and the examples.
        deadline: Stops the work.

    Returns:
        The value of each example, and the version and signature that gave them.

    Raises:
        RequestError: If the request does not fit the signature, or the signature cannot regress.
        tf.errors.OpError: If a kernel refuses what it is given.
    """
    return _answer(REGRESS, servable, request, regression_pb2.RegressionResponse(), deadline)


def run(method: Method, signature: Signature, examples: tensor_pb2.TensorProto, deadline: Deadline | None) -> Any:
    """Runs a signature on examples.

    Args:
        method: How to read its answer.
        signature: The signature, which has one input.
        examples: The examples, as a string tensor of shape [number of examples].
        deadline: Stops the work.

    Returns:
        The method's result message.

    Raises:
        RequestError: If the examples do not fit the signature, or its outputs not the method, or its time is over.
        tf.errors.OpError: If a kernel refuses what it is given.
    """
    (alias,) = signature.definition.inputs
    outputs = signature.run({alias: examples}, method.wanted_outputs(signature.definition), deadline=deadline)
    return method.result_of(outputs, examples.tensor_shape.dim[0].size)


def fill_spec(spec: model_pb2.ModelSpec, name: str, servable: Servable, signature: Signature) -> None:
    """Says in an answer which model, version and signature gave it."""
    spec.name = name
    spec.version.value = servable.version
    spec.signature_name = signature.name


def _answer(method: Method, servable: Servable, request: Any, response: Any, deadline: Deadline | None) -> Any:
    spec = request.model_spec
    name = spec.signature_name or tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    if name not in servable.signature_map.signature_def:
        raise invalid_argument(f"No signature was found with the name: {name}")
    signature = servable.signature(name)
    method.wanted_outputs(signature.definition)
    response.result.CopyFrom(run(method, signature, to_tensor(request.input), deadline))
    fill_spec(response.model_spec, spec.name, servable, signature)
    return response
