"""The REST interface as a WSGI application: paths, bodies, compression and status codes."""

import http
import json
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import grpc

from serving.core.deadline import Deadline
from serving.core.observation import REQUEST_ID, Observation, Observer, request_id
from serving.rest.methods import Answer, RestMethods
from serving.wire.protocol import MAX_MESSAGE_BYTES

# When the request had arrived completely, in seconds of `time.monotonic`; the server adds it to the environment.
RECEIVED = "serving.received"

_API_PREFIX = "/v1/"
_METHODS = {"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"}
_GZIP_WINDOW = 31
_CLIENT_CLOSED_REQUEST = "499 Client Closed Request"
_CORS_HEADERS = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, GET"),
    ("Access-Control-Allow-Headers", "Content-Type"),
]
# What TensorFlow Serving's HTTP library, libevent, sends for requests outside the API.
_PAGE = "<HTML><HEAD>\n<TITLE>{0.value} {0.phrase}</TITLE>\n</HEAD><BODY>\n<H1>{0.phrase}</H1>\n</BODY></HTML>\n"
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
_JSON, _HTML, _PLAIN = "application/json", "text/html", "text/plain"

_StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class _Reply(NamedTuple):
    status: str
    content_type: str
    body: bytes


class Application:
    """Answers HTTP requests."""

    def __init__(
        self,
        methods: RestMethods,
        timeout_in_ms: int,
        prometheus_path: str | None,
        render_metrics: Callable[[], tuple[bytes, str]],
        cors: bool,
        observe: Observer,
    ) -> None:
        """Prepares to answer.

        Args:
            methods: The methods that answer the paths under `/v1/`.
            timeout_in_ms: How long an answer may take, in milliseconds, from the arrival of the request.
            prometheus_path: The path of the metrics; None for none.
            render_metrics: Returns the metrics' text and its content type.
            cors: Whether pages from other origins may ask.
            observe: Called after each request.
        """
        self._methods = methods
        self._timeout = timeout_in_ms / 1000
        self._prometheus_path = prometheus_path
        self._render_metrics = render_metrics
        self._cors_headers = _CORS_HEADERS if cors else []
        self._observe = observe

    def __call__(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        """Answers one request by the WSGI protocol."""
        begun = time.perf_counter()
        path, method = _path(environ["REQUEST_URI"]), environ["REQUEST_METHOD"]
        id_ = request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        headers = [(REQUEST_ID, id_)]
        answer = Answer(grpc.StatusCode.OK, "")
        if method not in _METHODS:
            answer = Answer(grpc.StatusCode.UNIMPLEMENTED, "")
            reply = _page(http.HTTPStatus.NOT_IMPLEMENTED)
        elif self._prometheus_path is not None and path.partition("?")[0] == self._prometheus_path:
            reply = self._metrics(path)
        elif not path.lower().startswith(_API_PREFIX):
            answer = Answer(grpc.StatusCode.NOT_FOUND, "")
            reply = _page(http.HTTPStatus.NOT_FOUND)
        else:
            answer = self._answer(path, method, environ)
            reply = _Reply(_status_line(answer.code), _JSON, _body(answer))
            headers += self._cors_headers
        start_response(
            reply.status,
            [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body))), *headers],
        )
        seconds = time.perf_counter() - begun
        self._observe(Observation(answer.api, answer.request, answer.code, seconds, id_, f"{method} {path}"))
        # A client would take a body after HEAD for the next answer.
        return [] if method == "HEAD" else [reply.body]

    def _answer(self, path: str, method: str, environ: dict[str, Any]) -> Answer:
        if method == "OPTIONS" and self._cors_headers:
            if "://" in environ.get("HTTP_ORIGIN", ""):
                return Answer(grpc.StatusCode.OK, "")
            return Answer(grpc.StatusCode.FAILED_PRECONDITION, "Origin header is missing in CORS preflight")
        deadline = Deadline(environ.get(RECEIVED, time.monotonic()) + self._timeout)
        body = environ["wsgi.input"].read()
        if "gzip" in environ.get("HTTP_CONTENT_ENCODING", ""):
            body = _inflated(body)
        return self._methods.answer(method, path, body, deadline)

    def _metrics(self, path: str) -> _Reply:
        if path != self._prometheus_path:
            words = f"Unexpected path: {path}. Should be {self._prometheus_path}"
            return _Reply(_status_line(grpc.StatusCode.INVALID_ARGUMENT), _PLAIN, words.encode("latin-1", "replace"))
        body, content_type = self._render_metrics()
        return _Reply(_status_line(grpc.StatusCode.OK), content_type, body)


def _path(uri: str) -> str:
    """Returns the path and query of a URI; clients of a proxy send the full URI."""
    if uri.startswith("/"):
        return uri
    parts = urlsplit(uri)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _inflated(body: bytes) -> bytes:
    """Inflates gzip; returns nothing if it is damaged or inflates to too much, as TensorFlow Serving does."""
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        inflated = inflater.decompress(body, MAX_MESSAGE_BYTES + 1)
    except zlib.error:
        return b""
    whole = inflater.eof and not inflater.unused_data
    return inflated if whole and len(inflated) <= MAX_MESSAGE_BYTES else b""


def _page(status: http.HTTPStatus) -> _Reply:
    return _Reply(f"{status.value} {status.phrase}", _HTML, _PAGE.format(status).encode())


def _status_line(code: grpc.StatusCode) -> str:
    if code is grpc.StatusCode.CANCELLED:
        return _CLIENT_CLOSED_REQUEST
    status = _STATUSES.get(code, http.HTTPStatus.INTERNAL_SERVER_ERROR)
    return f"{status.value} {status.phrase}"


def _body(answer: Answer) -> bytes:
    if answer.code is grpc.StatusCode.OK:
        return answer.text.encode("utf-8", "surrogateescape")
    text = json.dumps({"error": answer.text}, indent=4, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")  # what cannot be encoded is written as JSON's escape
