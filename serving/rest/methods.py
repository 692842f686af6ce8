"""TensorFlow Serving's REST methods: from a path and a JSON body to a JSON text."""

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.core.deadline import Deadline
from serving.core.errors import RequestError, status_of
from serving.core.methods import Methods
from serving.rest.example_json import classification_json, fill_examples, regression_json
from serving.rest.json_body import read_object, signature_name
from serving.rest.predict_json import fill_inputs, input_dtypes, is_row_form, response_json
from serving.rest.routes import find_route
from serving.wire.protocol import SIGNATURE_DEF

# Bodies larger than this are read one at a time: as Python's lists they take twenty times their size, and Python would
# not read two in parallel anyway.
_LARGE_BODY = 1024 * 1024


class Answer(NamedTuple):
    """The answer to a request.

    Attributes:
        code: The status.
        text: JSON, or the error message if the status is not OK.
        api: The method, such as `predict`; empty if the request names none.
        request: The request's message; None if it names no method.
    """

    code: grpc.StatusCode
    text: str
    api: str = ""
    request: Any = None


class RestMethods:
    """Answers requests; any thread may call it."""

    def __init__(self, methods: Methods) -> None:
        """Prepares to answer.

        Args:
            methods: The methods that answer the requests.
        """
        self._core = methods
        self._reading_large = threading.Lock()
        self._methods: dict[str, tuple[Callable[[], Any], Callable[[Any, bytes, Deadline], str]]] = {
            "predict": (predict_pb2.PredictRequest, self._predict),
            "classify": (classification_pb2.ClassificationRequest, self._classify),
            "regress": (regression_pb2.RegressionRequest, self._regress),
            "metadata": (_metadata_request, self._metadata),
            "status": (get_model_status_pb2.GetModelStatusRequest, self._status),
        }

    def answer(self, http_method: str, path: str, body: bytes, deadline: Deadline) -> Answer:
        """Answers any request, even an invalid one.

        Args:
            http_method: The HTTP method in upper case.
            path: The path as it was sent, with its query.
            body: The body.
            deadline: Stops the work.

        Returns:
            The answer.
        """
        try:
            route = find_route(http_method, path)
        except RequestError as error:
            return Answer(error.code, error.details)
        new_request, method = self._methods[route.method]
        request = new_request()
        request.model_spec.CopyFrom(route.spec)
        try:
            deadline.check()
            text = method(request, body, deadline)
            deadline.check()
            return Answer(grpc.StatusCode.OK, text, route.method, request)
        except Exception as error:
            return Answer(*status_of(error), route.method, request)

    def _predict(self, request: predict_pb2.PredictRequest, body: bytes, deadline: Deadline) -> str:
        """Runs a signature. The version whose dtypes the JSON was read by is the one that answers."""
        with self._turn(body):
            fields = read_object(body)
            request.model_spec.signature_name = signature_name(fields)
            servable = self._core.find(request.model_spec)
            fill_inputs(fields, input_dtypes(servable.signature_map, request.model_spec.signature_name), request)
            in_rows = is_row_form(fields)
        return response_json(self._core.predict(request, deadline, servable=servable).outputs, in_rows)

    def _classify(self, request: classification_pb2.ClassificationRequest, body: bytes, deadline: Deadline) -> str:
        self._read_examples(request, body)
        return classification_json(self._core.classify(request, deadline).result)

    def _regress(self, request: regression_pb2.RegressionRequest, body: bytes, deadline: Deadline) -> str:
        self._read_examples(request, body)
        return regression_json(self._core.regress(request, deadline).result)

    def _read_examples(self, request: Any, body: bytes) -> None:
        with self._turn(body):
            fields = read_object(body)
            request.model_spec.signature_name = signature_name(fields)
            fill_examples(fields, request.input)

    def _metadata(self, request: get_model_metadata_pb2.GetModelMetadataRequest, _: bytes, deadline: Deadline) -> str:
        return _metadata_json(self._core.get_model_metadata(request, deadline))

    def _status(self, request: get_model_status_pb2.GetModelStatusRequest, _: bytes, deadline: Deadline) -> str:
        response = self._core.get_model_status(request, deadline)
        return json_format.MessageToJson(response, always_print_fields_with_no_presence=True, indent=1) + "\n"

    def _turn(self, body: bytes) -> contextlib.AbstractContextManager[Any]:
        return self._reading_large if len(body) > _LARGE_BODY else contextlib.nullcontext()


def _metadata_request() -> get_model_metadata_pb2.GetModelMetadataRequest:
    return get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[SIGNATURE_DEF])


def _metadata_json(response: get_model_metadata_pb2.GetModelMetadataResponse) -> str:
    """Writes a model's signatures, which the message carries packed."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURE_DEF].Unpack(signatures)
    described = {
        "model_spec": _described(response.model_spec),
        "metadata": {SIGNATURE_DEF: _described(signatures)},
    }
    return json.dumps(described, indent=1) + "\n"


def _described(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )
