"""Classify and Regress on one version of a model."""

from typing import Any

from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import classification_pb2, input_pb2, model_pb2, regression_pb2

from serving.core.deadline import Deadline
from serving.core.errors import invalid_argument
from serving.core.example_methods import CLASSIFY, REGRESS, Method
from serving.core.servable import Servable
from serving.core.signature import Signature
from serving.wire.protocol import DEFAULT_SIGNATURE


def classify(
    servable: Servable, request: classification_pb2.ClassificationRequest, deadline: Deadline | None = None
) -> classification_pb2.ClassificationResponse:
    """Classifies a request's examples.

    Args:
        servable: The version that answers, even if the request names another.
        request: The signature's name and the examples.
        deadline: Stops the work.

    Returns:
        The classes of each example, and the version and signature that computed them.

    Raises:
        RequestError: If the request does not fit the signature, or the signature cannot classify.
        tf.errors.OpError: If a kernel refuses its input.
    """
    return _answer(CLASSIFY, servable, request, classification_pb2.ClassificationResponse(), deadline)


def regress(
    servable: Servable, request: regression_pb2.RegressionRequest, deadline: Deadline | None = None
) -> regression_pb2.RegressionResponse:
    """Computes a value for each of a request's examples.

    Args:
        servable: The version that answers, even if the request names another.
        request: The signature's name and the examples.
        deadline: Stops the work.

    Returns:
        The value of each example, and the version and signature that computed them.

    Raises:
        RequestError: If the request does not fit the signature, or the signature cannot regress.
        tf.errors.OpError: If a kernel refuses its input.
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
        RequestError: If the examples do not fit the signature, its outputs do not fit the method, or time is up.
        tf.errors.OpError: If a kernel refuses its input.
    """
    (alias,) = signature.definition.inputs
    outputs = signature.run({alias: examples}, method.required_outputs(signature.definition), deadline=deadline)
    return method.result_of(outputs, examples.tensor_shape.dim[0].size)


def to_tensor(examples: input_pb2.Input) -> tensor_pb2.TensorProto:
    """Serializes a request's examples into the one tensor that a signature takes.

    Args:
        examples: The examples, with or without a context: features that all of them share.

    Returns:
        A string tensor of shape [number of examples], each with the context's features in addition to its own.

    Raises:
        RequestError: If there are none.
    """
    kind = examples.WhichOneof("kind")
    entries = getattr(examples, kind).examples if kind else ()
    if not entries:
        raise invalid_argument("Input is empty.")
    # Messages merge when their bytes are joined; where both have a feature, the later one, the example's, holds.
    context = examples.example_list_with_context.context.SerializeToString()
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING)
    tensor.tensor_shape.dim.add(size=len(entries))
    tensor.string_val.extend(context + entry.SerializeToString() for entry in entries)
    return tensor


def fill_spec(spec: model_pb2.ModelSpec, name: str, servable: Servable, signature: Signature) -> None:
    """Writes into an answer which model, version and signature computed it."""
    spec.name = name
    spec.version.value = servable.version
    spec.signature_name = signature.name


def _answer(method: Method, servable: Servable, request: Any, response: Any, deadline: Deadline | None) -> Any:
    spec = request.model_spec
    name = spec.signature_name or DEFAULT_SIGNATURE
    if name not in servable.signature_map.signature_def:
        raise invalid_argument(f"No signature was found with the name: {name}")
    signature = servable.signature(name)
    method.required_outputs(signature.definition)
    response.result.CopyFrom(run(method, signature, to_tensor(request.input), deadline))
    fill_spec(response.model_spec, spec.name, servable, signature)
    return response
