"""gRPC handlers that always end with a status, made of methods from a request to a response."""

import time
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from serving.core.deadline import Deadline
from serving.core.errors import RequestError, status_of
from serving.core.metrics import Observer

# The message travels in a header, percent-encoded, and gRPC refuses headers above 8 KiB.
_MAX_DETAILS_BYTES = 2000
# Stands for a request whose bytes cannot be parsed. TensorFlow Serving's gRPC answers INTERNAL, too.
UNPARSED = object()


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
        begun = time.perf_counter()
        code, details, response = grpc.StatusCode.OK, "", None
        try:
            if request is UNPARSED:
                raise unparsed(request_type)
            response = method(request, _deadline(context))
        except Exception as error:
            code, details = status_of(error)
        observe(name, request, code, time.perf_counter() - begun)
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
