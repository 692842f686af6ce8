"""The REST interface as a WSGI application: paths, bodies, compression and status codes."""

import http
import json
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import grpc

from serving.core.deadline import Deadline
from serving.core.errors import RequestError, invalid_argument
from serving.rest.methods import Answer, RestMethods
from serving.wire.protocol import MAX_MESSAGE_BYTES

# When the request had arrived completely, in seconds of `time.monotonic`; the server adds it to the environment.
RECEIVED = "serving.received"

_API_PREFIX = "/v1/"
_GZIP_WINDOW = 31
_CLIENT_CLOSED_REQUEST = "499 Client Closed Request"
_STATUSES = {
    grpc.StatusCode.OK: http.HTTPStatus.OK,
    grpc.StatusCode.INVALID_ARGUMENT: http.HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.FAILED_PRECONDITION: http.HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.OUT_OF_RANGE: http.HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNAUTHENTICATED: http.HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: http.HTTPStatus.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: http.HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: http.HTTPStatus.CONFLICT,
    grpc.StatusCode.ABORTED: http.HTTPStatus.CONFLICT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: http.HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNIMPLEMENTED: http.HTTPStatus.NOT_IMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE: http.HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: http.HTTPStatus.GATEWAY_TIMEOUT,
}
_JSON = "application/json"

_StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Application:
    """Answers HTTP requests."""

    def __init__(
        self,
        methods: RestMethods,
        timeout_in_ms: int,
        prometheus_path: str | None,
        render_metrics: Callable[[], tuple[bytes, str]],
    ) -> None:
        """Prepares to answer.

        Args:
            methods: The methods that answer the paths under `/v1/`.
            timeout_in_ms: How long an answer may take, in milliseconds, from the arrival of the request.
            prometheus_path: The path of the metrics; None for none.
            render_metrics: Returns the metrics' text and its content type.
        """
        self._methods = methods
        self._timeout = timeout_in_ms / 1000
        self._prometheus_path = prometheus_path
        self._render_metrics = render_metrics

    def __call__(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        """Answers one request by the WSGI protocol."""
        path = _path(environ["REQUEST_URI"])
        if self._prometheus_path is not None and path.partition("?")[0] == self._prometheus_path:
            body, content_type = self._render_metrics()
            status = _status_line(grpc.StatusCode.OK)
        else:
            answer = self._answer(path, environ)
            body, content_type, status = _body(answer), _JSON, _status_line(answer.code)
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        # A client would take a body after HEAD for the next answer.
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _answer(self, path: str, environ: dict[str, Any]) -> Answer:
        if not path.lower().startswith(_API_PREFIX):
            return Answer(grpc.StatusCode.NOT_FOUND, f"Not found: {path}. Use a path under {_API_PREFIX}models/.")
        deadline = Deadline(environ.get(RECEIVED, time.monotonic()) + self._timeout)
        method = environ["REQUEST_METHOD"]
        try:
            body = _inflated(environ["wsgi.input"].read(), environ.get("HTTP_CONTENT_ENCODING", ""))
        except RequestError as error:
            return Answer(error.code, error.details)
        return self._methods.answer("GET" if method == "HEAD" else method, path, body, deadline)


def _path(uri: str) -> str:
    """Returns the path and query of a URI; clients of a proxy send the full URI."""
    if uri.startswith("/"):
        return uri
    parts = urlsplit(uri)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _inflated(body: bytes, encoding: str) -> bytes:
    if encoding.strip().lower() in ("", "identity"):
        return body
    if encoding.strip().lower() != "gzip":
        raise invalid_argument(f"Content-Encoding: expected gzip or none, received {encoding}.")
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        inflated = inflater.decompress(body, MAX_MESSAGE_BYTES + 1)
    except zlib.error as error:
        raise invalid_argument(f"Body: expected gzip, received other bytes: {error}.") from error
    if len(inflated) > MAX_MESSAGE_BYTES:
        raise invalid_argument(f"Body: expected at most {MAX_MESSAGE_BYTES} bytes, received more.")
    if not inflater.eof or inflater.unused_data:
        raise invalid_argument("Body: expected gzip, received bytes that end too early or too late.")
    return inflated


def _status_line(code: grpc.StatusCode) -> str:
    if code is grpc.StatusCode.CANCELLED:
        return _CLIENT_CLOSED_REQUEST
    status = _STATUSES.get(code, http.HTTPStatus.INTERNAL_SERVER_ERROR)
    return f"{status.value} {status.phrase}"


def _body(answer: Answer) -> bytes:
    if answer.code is grpc.StatusCode.OK:
        return answer.text.encode()
    return json.dumps({"error": answer.text}, indent=4).encode()
