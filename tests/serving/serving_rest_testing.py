"""What the REST tests share: a server with handlers made for the test, and plain HTTP."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.core.errors import not_found
from serving.rest.server import RestServer

PREDICT = "/v1/models/vae:predict"


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        (words,) = self.json.values()
        assert list(self.json) == ["error"]
        return words


class FakeModel:
    """Stands for `serving.core.methods.Methods`: records requests and echoes inputs.

    Its signatures, version and delays are set by the test.
    """

    def __init__(self, **inputs: tf.DType) -> None:
        self.version = 5
        self.signatures = {"serving_default": inputs}
        self.requests: list[Any] = []
        self.answered_by: list[int] = []
        self.answer: Callable[[predict_pb2.PredictRequest], dict[str, np.ndarray]] = lambda request: {
            name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()
        }

    def find(self, spec):
        if spec.name != "vae":
            raise not_found(f"Servable not found for request: Latest({spec.name})")
        described = get_model_metadata_pb2.SignatureDefMap()
        for signature, inputs in self.signatures.items():
            described.signature_def[signature].SetInParent()
            for name, dtype in inputs.items():
                described.signature_def[signature].inputs[name].dtype = dtype.as_datatype_enum
        return SimpleNamespace(version=self.version, signature_map=described)

    def predict(self, request, deadline, *, servable):
        self.requests.append(request)
        self.answered_by.append(servable.version)
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = servable.version
        for name, array in self.answer(request).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        return response

    def classify(self, request, deadline):
        self.requests.append(request)
        response = classification_pb2.ClassificationResponse()
        for score in (0.1, 1.0):
            response.result.classifications.add().classes.add(label="é", score=score)
        return response

    def regress(self, request, deadline):
        self.requests.append(request)
        response = regression_pb2.RegressionResponse()
        for value in (0.1, 2.0, float("nan")):
            response.result.regressions.add(value=value)
        return response

    def get_model_metadata(self, request, deadline):
        servable = self.find(request.model_spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = servable.version
        response.metadata["signature_def"].Pack(servable.signature_map)
        return response

    def get_model_status(self, request, deadline):
        self.requests.append(request)
        response = get_model_status_pb2.GetModelStatusResponse()
        status = response.model_version_status.add(version=5, state="AVAILABLE")
        status.status.error_code = 0
        return response


@contextmanager
def serve(methods: Any, **changed: Any) -> Iterator[RestServer]:
    arguments = {
        "host": "127.0.0.1",
        "port": 0,
        "observe": lambda *_: None,
        "num_threads": 4,
        "timeout_in_ms": 60_000,
        "prometheus_path": None,
        "render_metrics": lambda: (b"", "text/plain"),
        "cors": False,
    }
    server = RestServer(methods, **(arguments | changed))
    server.start()
    try:
        yield server
    finally:
        server.stop(10)


def ask(
    server: Any, path: str, body: Any = None, method: str | None = None, headers: dict[str, str] | None = None
) -> Reply:
    """Sends one request; a body other than bytes is sent as JSON."""
    port = server if isinstance(server, int) else server.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, data, headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.read(), dict(response.getheaders()))
    finally:
        connection.close()
