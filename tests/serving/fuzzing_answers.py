"""What an answer must be: worked out with NumPy for the tiny models, from the request's bytes alone."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from fuzzing import MODEL, PREDICTION, REQUESTS, Call
from google.protobuf.message import DecodeError
from serving_saved_models import LABELS, WEIGHTS
from serving_testing import EVENT, LATENT
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

_RANKS = {"x": 2, "z": 2, "seed": 1, "table": 2, "words": 1}
# TensorFlow Serving answers INTERNAL, too: gRPC does it, before the server sees the message.
_UNPARSED = re.compile(r"The request cannot be parsed as tensorflow\.serving\.\w+")
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_RESPONSES: dict[str, Any] = {
    PREDICTION + "Predict": predict_pb2.PredictResponse,
    PREDICTION + "Classify": classification_pb2.ClassificationResponse,
    PREDICTION + "Regress": regression_pb2.RegressionResponse,
    PREDICTION + "MultiInference": inference_pb2.MultiInferenceResponse,
    PREDICTION + "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataResponse,
    MODEL + "GetModelStatus": get_model_status_pb2.GetModelStatusResponse,
}
_WEIGHTS = np.arange(1, EVENT * LATENT + 1, dtype=np.float64).reshape(EVENT, LATENT)
# Beyond this the order in which floats are added up decides whether they overflow.
_LARGEST = 1e15


def check(call: Call, code: grpc.StatusCode, details: str, answer: bytes | None) -> None:
    """Fails unless a call's outcome is right: the answer, or a refusal such as TensorFlow Serving gives."""
    try:
        request = REQUESTS[call.method].FromString(call.message)
    except DecodeError:
        assert is_unparsed(code, details)
        return
    if answer is None:
        assert code in REFUSALS, f"{code}: {details}"
        assert details
        return
    with np.errstate(all="ignore"):
        _CHECKS[call.method](request, _RESPONSES[call.method].FromString(answer))


def outputs_of(signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns all outputs of one of the tiny model's signatures."""
    widened = {name: array.astype(np.float64) if array.dtype == np.float32 else array for name, array in inputs.items()}
    return _outputs_of(signature, widened)


def _outputs_of(signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    if signature == "encode":
        mean = inputs["x"] @ _WEIGHTS
        return {"mean": mean, "scale": np.exp(-np.abs(mean))}
    if signature == "decode":
        logits = inputs["z"] @ _WEIGHTS.T
        return {"mean": 1 / (1 + np.exp(-logits)), "logits": logits}
    if signature in ("", "generate", "serving_default"):
        point = (inputs["seed"] % 1000).astype(np.float64)
        z = np.stack([np.sin(point), np.cos(point)], axis=1)
        return {"mean": _outputs_of("decode", {"z": z})["mean"], "z": z}
    if signature == "reconstruct":
        return {"mean": _outputs_of("decode", {"z": _outputs_of("encode", inputs)["mean"]})["mean"]}
    if signature == "score":
        x = inputs["x"]
        return {"log_likelihood_bound": -(x * x).sum(1) - inputs["seed"].astype(np.float64)}
    if signature == "multiply":
        return {"product": inputs["table"] @ _WEIGHTS}
    if signature == "total":
        return {"total": inputs["table"].sum()}
    assert signature == "join", signature
    words = inputs["words"]
    return {"joined": np.array([word + b"-" + word for word in words], np.object_), "count": np.int32(len(words))}


def is_unparsed(code: grpc.StatusCode, details: str) -> bool:
    """Tells whether a call was refused because its bytes are no message."""
    return code is grpc.StatusCode.INTERNAL and bool(_UNPARSED.fullmatch(details))


def parses(message_type: Any, message: bytes) -> bool:
    """Tells whether bytes are such a message."""
    try:
        message_type.FromString(message)
    except DecodeError:
        return False
    return True


def check_outputs(
    signature: str, inputs: Mapping[str, np.ndarray], wanted: Sequence[str], outputs: Mapping[str, np.ndarray]
) -> None:
    """Fails unless outputs are those of the tiny model, to rounding in float32."""
    if any(np.ndim(array) != _RANKS[name] for name, array in inputs.items()):
        return  # the graph says what becomes of them, as in TensorFlow Serving
    expected = outputs_of(signature, inputs)
    assert set(outputs) == (set(wanted) or set(expected))
    floats = [array.astype(np.float64) for array in inputs.values() if array.dtype == np.float32]
    comparable = all((np.abs(array) < _LARGEST).all() for array in floats)  # not so for NaN
    scale = max([1.0, *(float(np.abs(array).max(initial=0)) ** 2 for array in floats)]) if comparable else 1.0
    if signature == "score":
        scale += float(np.abs(inputs["seed"].astype(np.float64)).max(initial=0))
    for name, output in outputs.items():
        assert output.shape == np.shape(expected[name]), name
        if output.dtype.kind in "iO":
            np.testing.assert_array_equal(output, expected[name])
        elif comparable:
            np.testing.assert_allclose(output, expected[name], rtol=1e-4, atol=1e-5 * scale, err_msg=name)


def _check_predict(request: predict_pb2.PredictRequest, response: predict_pb2.PredictResponse) -> None:
    spec = request.model_spec
    assert spec.name == response.model_spec.name
    assert not spec.HasField("version") or spec.version == response.model_spec.version
    assert response.model_spec.signature_name == (spec.signature_name or "serving_default")
    outputs = {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
    # TensorFlow's own reading, which TensorFlow Serving uses.
    inputs = {
        name: tf.io.parse_tensor(tensor.SerializeToString(), tensor.dtype).numpy()
        for name, tensor in request.inputs.items()
    }
    if spec.name == "vae":
        check_outputs(spec.signature_name, inputs, request.output_filter, outputs)


def _features(examples: Any) -> np.ndarray:
    """Returns the feature x of each example, which is the context's where it has none itself."""
    kind = examples.WhichOneof("kind")
    entries = getattr(examples, kind)
    rows = []
    for entry in entries.examples:
        holder = entry
        if kind == "example_list_with_context" and not entry.features.feature["x"].WhichOneof("kind"):
            holder = entries.context
        rows.append(list(holder.features.feature["x"].float_list.value))
    return np.array(rows, np.float64).reshape(len(rows), 2)


def _check_classification(examples: Any, signature: str, result: classification_pb2.ClassificationResult) -> None:
    scores = _features(examples) @ WEIGHTS.astype(np.float64)
    assert len(result.classifications) == len(scores)
    for row, one in zip(scores, result.classifications, strict=True):
        if signature != "scores":
            assert [each.label for each in one.classes] == LABELS
        if signature != "classes" and np.abs(row).max() < _LARGEST:  # not so for NaN
            np.testing.assert_allclose([each.score for each in one.classes], row, rtol=1e-4, atol=1e-4)


def _check_regression(examples: Any, signature: str, result: regression_pb2.RegressionResult) -> None:
    kind = examples.WhichOneof("kind")
    values = np.array([one.value for one in result.regressions])
    if signature == "others":
        assert values.tolist() == [0.0] * len(getattr(examples, kind).examples)
        return
    expected = _features(examples).sum(1)
    assert values.shape == expected.shape
    known = np.abs(expected) < _LARGEST
    np.testing.assert_allclose(values[known], expected[known], rtol=1e-4, atol=1e-4)


def _check_multi(request: inference_pb2.MultiInferenceRequest, response: inference_pb2.MultiInferenceResponse) -> None:
    for task, result in zip(request.tasks, response.results, strict=True):
        kind = result.WhichOneof("result")
        checker = _check_classification if kind == "classification_result" else _check_regression
        checker(request.input, task.model_spec.signature_name, getattr(result, kind))


def _check_metadata(request: Any, response: get_model_metadata_pb2.GetModelMetadataResponse) -> None:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert "serving_default" in signatures.signature_def


def _check_status(request: Any, response: get_model_status_pb2.GetModelStatusResponse) -> None:
    assert any(status.state == status.AVAILABLE for status in response.model_version_status)


_CHECKS = {
    PREDICTION + "Predict": _check_predict,
    PREDICTION + "Classify": lambda request, response: _check_classification(
        request.input, request.model_spec.signature_name, response.result
    ),
    PREDICTION + "Regress": lambda request, response: _check_regression(
        request.input, request.model_spec.signature_name, response.result
    ),
    PREDICTION + "MultiInference": _check_multi,
    PREDICTION + "GetModelMetadata": _check_metadata,
    MODEL + "GetModelStatus": _check_status,
}
