"""Turns a method from request to response into a gRPC handler that always ends with a status."""

import logging
from collections.abc import Callable
from typing import Any

import grpc
import tensorflow as tf

from serving.core.kernel_error import code_of, words_of
from serving.core.request_error import RequestError

_log = logging.getLogger(__name__)

# The message travels in a header, percent-encoded, and gRPC refuses headers above 8 KiB.
_MAX_DETAILS_BYTES = 2000


def unary(method: Callable[[Any], Any], request_type: Any, response_type: Any) -> grpc.RpcMethodHandler:
    """Wraps a method for gRPC.

    Args:
        method: From a request to its response; it may raise anything.
        request_type: The request's message class.
        response_type: The response's message class.

    Returns:
        The handler. What the method raises is answered with a status: a `RequestError` and TensorFlow's
        errors with theirs, anything else with INTERNAL, its stack trace going to the log alone.
    """

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(request)
        except RequestError as error:
            code, details = error.code, error.details
        except tf.errors.OpError as error:
            code, details = code_of(error), words_of(error)
        except Exception:
            _log.exception("unexpected error answering a %s", request_type.DESCRIPTOR.name)
            code, details = grpc.StatusCode.INTERNAL, "Internal error; the server's log has the cause."
        context.abort(code, _shortened(details))

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request_type.FromString,
        response_serializer=response_type.SerializeToString,
    )


def _shortened(details: str) -> str:
    encoded = details.encode()
    if len(encoded) <= _MAX_DETAILS_BYTES:
        return details
    return encoded[:_MAX_DETAILS_BYTES].decode(errors="ignore") + "..."
