"""Where the server under test is, and requests to it by TensorFlow Serving's own messages."""

import http.client
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
WEIGHTS = np.arange(1, 7, dtype=np.float32).reshape(3, 2) / 10
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -3.0]], np.float32)
SEEDS = np.array([0, 1, 7, 2**62], np.int64)


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Target:
    """A server under test.

    Attributes:
        server: Its host and port for gRPC.
        rest: Its host and port for REST; None if it has none.
        batching: Whether it batches.
        models: The folder it serves, if what it serves may be changed; None if not.
    """

    def __init__(self, server: str, rest: str | None, batching: bool, models: Path | None) -> None:
        self.server, self.rest, self.batching, self.models = server, rest, batching, models

    @cached_property
    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.server)

    @cached_property
    def prediction(self) -> prediction_service_pb2_grpc.PredictionServiceStub:
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @cached_property
    def model(self) -> model_service_pb2_grpc.ModelServiceStub:
        return model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, signature: str = "", model: str = "vae", **inputs: Any) -> dict[str, np.ndarray]:
        answer = self.prediction.Predict(predict_request(signature, model, **inputs), timeout=60)
        return arrays(answer)

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Reply:
        """Sends a request over REST; a body other than bytes is sent as JSON."""
        if self.rest is None:
            pytest.skip("no --rest given")
        connection = http.client.HTTPConnection(self.rest, timeout=60)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, data)
            response = connection.getresponse()
            return Reply(response.status, response.read().decode())
        finally:
            connection.close()


def arrays(answer: predict_pb2.PredictResponse) -> dict[str, np.ndarray]:
    return {name: tf.make_ndarray(proto) for name, proto in answer.outputs.items()}


def predict_request(
    signature: str = "", model: str = "vae", version: int | None = None, label: str = "", **inputs: Any
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(model_spec={"name": model, "signature_name": signature})
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def metadata_request(*fields: str, model: str = "vae") -> get_model_metadata_pb2.GetModelMetadataRequest:
    return get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields, model_spec={"name": model})


def status_request(model: str = "vae", version: int | None = None) -> get_model_status_pb2.GetModelStatusRequest:
    request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": model})
    if version is not None:
        request.model_spec.version.value = version
    return request


def refusal(rpc: Callable, request: Any) -> tuple[grpc.StatusCode, str]:
    """Calls, and returns the code and words of the error that must come back."""
    with pytest.raises(grpc.RpcError) as caught:
        rpc(request, timeout=60)
    return caught.value.code(), caught.value.details()
