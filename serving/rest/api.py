"""TensorFlow Serving's REST methods: from a path and a JSON body to a JSON text."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.core.deadline import Deadline
from serving.core.request_error import RequestError
from serving.rest.example_json import classification_json, fill_examples, regression_json
from serving.rest.handlers import Handlers
from serving.rest.info_json import metadata_json, status_json
from serving.rest.json_body import read_object, signature_name
from serving.rest.predict_json import fill_inputs, is_row_form, response_json
from serving.rest.routes import find_route
from serving.rest.signature_inputs import SIGNATURE_DEF, ModelInputs, SignatureInputs
from serving.services.answering import Observer, status_of

# A body this large is read alone: as Python's lists it takes twenty times its size, and nothing is lost, since
# Python reads one at a time in any case.
_LARGE_BODY = 1024 * 1024


class Answer(NamedTuple):
    """What a request is answered with.

    Attributes:
        code: The status.
        text: JSON, or the error's words if the status is not OK.
    """

    code: grpc.StatusCode
    text: str


class RestApi:
    """Answers requests; may be called from any thread."""

    def __init__(self, handlers: Handlers, observe: Observer) -> None:
        """Passes requests on.

        Args:
            handlers: What answers them.
            observe: Is told of each request that named a model, once it is answered.
        """
        self._handlers = handlers
        self._observe = observe
        self._inputs = SignatureInputs(handlers)
        self._reading_large = threading.Lock()
        self._methods: dict[str, tuple[Callable[[], Any], Callable[[Any, bytes, Deadline], str]]] = {
            "predict": (predict_pb2.PredictRequest, self._predict),
            "classify": (classification_pb2.ClassificationRequest, self._classify),
            "regress": (regression_pb2.RegressionRequest, self._regress),
            "metadata": (_metadata_request, self._metadata),
            "status": (get_model_status_pb2.GetModelStatusRequest, self._status),
        }

    def answer(self, http_method: str, path: str, body: bytes, deadline: Deadline) -> Answer:
        """Answers a request, whatever it is.

        Args:
            http_method: The HTTP method in capitals.
            path: The path as it was sent, with its query.
            body: The body.
            deadline: Stops the work.

        Returns:
            The answer.
        """
        begun = time.perf_counter()
        try:
            route = find_route(http_method, path)
        except RequestError as error:
            return Answer(error.code, error.details)
        new_request, method = self._methods[route.method]
        request = new_request()
        request.model_spec.CopyFrom(route.spec)
        deadline.watch()
        try:
            deadline.check()
            text = method(request, body, deadline)
            deadline.check()
            answer = Answer(grpc.StatusCode.OK, text)
        except Exception as error:
            answer = Answer(*status_of(error))
        finally:
            deadline.unwatch()
        self._observe(route.method, request, answer.code, time.perf_counter() - begun)
        return answer

    def _predict(self, request: predict_pb2.PredictRequest, body: bytes, deadline: Deadline) -> str:
        """Runs a signature, whose inputs' dtypes must be known to read the JSON.

        Those remembered may be of a version that has gone since. Then the work is done again.
        """
        spec = request.model_spec
        remembered = self._inputs.recall(spec)

        def find_inputs() -> ModelInputs:
            return remembered or self._inputs.refresh(spec, deadline)

        try:
            in_rows, inputs = self._read(request, body, find_inputs)
            response = self._handlers.predict(request, deadline)
        except RequestError as error:
            if remembered is None or error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            fresh = self._inputs.refresh(spec, deadline)
            if fresh == remembered:
                raise
        else:
            if response.model_spec.version.value == inputs.version:
                return response_json(response.outputs, in_rows)
            fresh = self._inputs.refresh(spec, deadline)
            if fresh.of(spec.signature_name) == inputs.of(spec.signature_name):
                return response_json(response.outputs, in_rows)
        request.inputs.clear()
        in_rows, _ = self._read(request, body, lambda: fresh)
        return response_json(self._handlers.predict(request, deadline).outputs, in_rows)

    def _read(
        self, request: predict_pb2.PredictRequest, body: bytes, find_inputs: Callable[[], ModelInputs]
    ) -> tuple[bool, ModelInputs]:
        """Fills a request; returns whether it came in rows, and the inputs that it was read by."""
        with self._turn(body):
            fields = read_object(body)
            request.model_spec.signature_name = signature_name(fields)
            inputs = find_inputs()
            dtypes = inputs.of(request.model_spec.signature_name)
            fill_inputs(fields, dtypes, request)
            return is_row_form(fields), inputs

    def _classify(self, request: classification_pb2.ClassificationRequest, body: bytes, deadline: Deadline) -> str:
        self._read_examples(request, body)
        return classification_json(self._handlers.classify(request, deadline).result)

    def _regress(self, request: regression_pb2.RegressionRequest, body: bytes, deadline: Deadline) -> str:
        self._read_examples(request, body)
        return regression_json(self._handlers.regress(request, deadline).result)

    def _read_examples(self, request: Any, body: bytes) -> None:
        with self._turn(body):
            fields = read_object(body)
            request.model_spec.signature_name = signature_name(fields)
            fill_examples(fields, request.input)

    def _metadata(self, request: get_model_metadata_pb2.GetModelMetadataRequest, _: bytes, deadline: Deadline) -> str:
        return metadata_json(self._handlers.get_model_metadata(request, deadline))

    def _status(self, request: get_model_status_pb2.GetModelStatusRequest, _: bytes, deadline: Deadline) -> str:
        return status_json(self._handlers.get_model_status(request, deadline))

    def _turn(self, body: bytes) -> contextlib.AbstractContextManager[Any]:
        return self._reading_large if len(body) > _LARGE_BODY else contextlib.nullcontext()


def _metadata_request() -> get_model_metadata_pb2.GetModelMetadataRequest:
    return get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[SIGNATURE_DEF])
