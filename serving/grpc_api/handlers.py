"""gRPC handlers that always end with a status, and their threads, which also count calls that no handler has seen."""

import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from serving.core.deadline import Deadline
from serving.core.errors import RequestError, status_of
from serving.core.observation import REQUEST_ID, Observation, Observer, request_id
from serving.grpc_api.elastic_pool import ElasticPool

# The message travels in a header, percent-encoded, and gRPC refuses headers above 8 KiB.
_MAX_DETAILS_BYTES = 2000
# Stands for a request whose bytes cannot be parsed. TensorFlow Serving's gRPC answers INTERNAL, too.
UNPARSED = object()

_current = threading.local()


class CallThreads(ElasticPool):
    """The threads of gRPC calls, which count the calls that end before their handler begins.

    While calls wait for a thread, deadlines pass and clients leave. gRPC drops such a call when its turn comes, without
    a call of the handler, so nothing else would count it.
    """

    def __init__(self, *, core: int, most: int, observe: Observer) -> None:
        """Starts the first threads.

        Args:
            core: The number of threads that always run.
            most: The most threads, including those added while others are stuck.
            observe: Called for each such call, with method `unknown`.
        """
        super().__init__(core=core, most=most)
        self._observe = observe

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future:
        """Runs a call on one of the threads.

        Raises:
            RuntimeError: If the pool is shut down.
        """
        begun = time.perf_counter()

        def run() -> None:
            _current.handled = False
            fn(*args, **kwargs)
            if not _current.handled:
                self._observe(Observation("unknown", None, _reason(args), time.perf_counter() - begun, ""))

        return super().submit(run)


def mark_handled() -> None:
    """Notes that the current thread's call has reached its handler, which each handler does first."""
    _current.handled = True


def _reason(args: tuple[Any, ...]) -> grpc.StatusCode:
    # gRPC's own record of the call, whose place among the arguments is not documented.
    deadlines = [event.call_details.deadline for event in args if hasattr(event, "call_details")]
    passed = any(deadline is not None and deadline <= time.time() for deadline in deadlines)
    return grpc.StatusCode.DEADLINE_EXCEEDED if passed else grpc.StatusCode.CANCELLED


def unary(
    name: str,
    method: Callable[[Any, Deadline | None], Any],
    request_type: Any,
    response_type: Any,
    observe: Observer,
) -> grpc.RpcMethodHandler:
    """Wraps a method for gRPC.

    Args:
        name: The method's name.
        method: From a request and its deadline to its response; it may raise anything.
        request_type: The request's message class.
        response_type: The response's message class.
        observe: Called after each request.

    Returns:
        The handler. An exception of the method becomes a status; see `status_of`.
    """

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        mark_handled()
        begun = time.perf_counter()
        id_ = _assign_id(context)
        code, details, response = grpc.StatusCode.OK, "", None
        try:
            if request is UNPARSED:
                raise unparsed(request_type)
            response = method(request, _deadline(context))
        except Exception as error:
            code, details = status_of(error)
        observe(Observation(name, request, code, time.perf_counter() - begun, id_))
        if response is None:
            context.abort(code, _shortened(details))
        return response

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=parser(request_type),
        response_serializer=response_type.SerializeToString,
    )


def parser(request_type: Any) -> Callable[[bytes], Any]:
    """Returns a parser of a message's bytes, which returns `UNPARSED` if it cannot parse them."""

    def parse(message: bytes) -> Any:
        try:
            return request_type.FromString(message)
        except DecodeError:
            # If this raised, gRPC would log a stack trace, and never free the call's memory.
            return UNPARSED

    return parse


def unparsed(request_type: Any) -> RequestError:
    """Returns the error for bytes that cannot be parsed as a message."""
    return RequestError(
        grpc.StatusCode.INTERNAL, f"The request cannot be parsed as {request_type.DESCRIPTOR.full_name}"
    )


def _assign_id(context: grpc.ServicerContext) -> str:
    """Returns the call's ID, which goes back to the client in the trailing metadata."""
    id_ = request_id(next((value for key, value in context.invocation_metadata() if key == REQUEST_ID), ""))
    context.set_trailing_metadata(((REQUEST_ID, id_),))
    return id_


def _deadline(context: grpc.ServicerContext) -> Deadline:
    remaining = context.time_remaining()
    deadline = Deadline(None if remaining is None else time.monotonic() + remaining)
    if not context.add_callback(deadline.cancel):
        deadline.cancel()  # the client has already gone
    return deadline


def _shortened(details: str) -> str:
    encoded = details.encode()
    if len(encoded) <= _MAX_DETAILS_BYTES:
        return details
    return encoded[:_MAX_DETAILS_BYTES].decode(errors="ignore") + "..."
