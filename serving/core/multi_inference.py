"""MultiInference: several signatures of one version of a model on the same examples."""

import grpc
import tensorflow as tf
from tensorflow_serving.apis import inference_pb2

from serving.core.deadline import Deadline
from serving.core.errors import RequestError, invalid_argument
from serving.core.example_methods import CLASSIFY, REGRESS, Method
from serving.core.inference import fill_spec, run, to_tensor
from serving.core.servable import Servable
from serving.core.signature import Signature
from serving.wire.protocol import DEFAULT_SIGNATURE

_METHODS = {tf.saved_model.CLASSIFY_METHOD_NAME: CLASSIFY, tf.saved_model.REGRESS_METHOD_NAME: REGRESS}


def multi_inference(
    servable: Servable, request: inference_pb2.MultiInferenceRequest, deadline: Deadline | None = None
) -> inference_pb2.MultiInferenceResponse:
    """Runs several signatures on a request's examples.

    Their inputs may be different tensors of the graph, as those of any two signatures that TensorFlow 2 exports are:
    each is fed the same examples.

    Args:
        servable: The version that answers every task, even if they name others.
        request: The examples, and for each task a signature and a method.
        deadline: Stops the work.

    Returns:
        A result for each task, in order, with the version and signature that computed it.

    Raises:
        RequestError: If the tasks do not fit the model or each other.
        tf.errors.OpError: If a kernel refuses its input.
    """
    planned = _plan(servable, request)
    examples = to_tensor(request.input)
    response = inference_pb2.MultiInferenceResponse()
    for task, (method, signature) in zip(request.tasks, planned, strict=True):
        result = response.results.add()
        outcome = run(method, signature, examples, deadline)
        if method is CLASSIFY:
            result.classification_result.CopyFrom(outcome)
        else:
            result.regression_result.CopyFrom(outcome)
        fill_spec(result.model_spec, task.model_spec.name, servable, signature)
    return response


def _plan(servable: Servable, request: inference_pb2.MultiInferenceRequest) -> list[tuple[Method, Signature]]:
    """Checks all tasks, in TensorFlow Serving's order, before it runs the first."""
    planned: dict[str, tuple[Method, Signature]] = {}
    for task in request.tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != request.tasks[0].model_spec.name:
            raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in planned:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        if name not in servable.signature_map.signature_def:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        signature = servable.signature(name)
        method = _METHODS.get(task.method_name)
        if method is None:
            details = f"Unsupported signature method_name: {task.method_name}"
            raise RequestError(grpc.StatusCode.UNIMPLEMENTED, details)
        method.required_outputs(signature.definition)
        planned[name] = (method, signature)
    return list(planned.values())
