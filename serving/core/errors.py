"""Errors of the server: what a request or a load ends with, and the gRPC status of any exception."""

import logging
import re

import grpc
import tensorflow as tf

from serving.wire.protocol import in_plain_words

_log = logging.getLogger(__name__)

# What calling a function from Python puts around a kernel's message.
_PREFIX = re.compile(r"Graph execution error:\s+Detected at node .*\n(?:<stack traces unavailable>\n|[ \t]+.*\n)*")
_FUNCTION = re.compile(r"^(?:\{\{function_node [^}]*\}\} )+")
_SUFFIX = re.compile(r"\s*\[Op:[^\]]*\]\s*$")

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class RequestError(Exception):
    """Ends a request with a gRPC status.

    Attributes:
        code: The status code.
        details: The message the client receives.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class ModelLoadError(Exception):
    """A version of a model cannot be served; the message is one line.

    Attributes:
        code: The status code TensorFlow Serving would report for it.
    """

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


def invalid_argument(details: str) -> RequestError:
    """Returns the error for a request that could never be answered."""
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, details)


def not_found(details: str) -> RequestError:
    """Returns the error for a model or version that is not served."""
    return RequestError(grpc.StatusCode.NOT_FOUND, details)


def kernel_code(error: tf.errors.OpError) -> grpc.StatusCode:
    """Returns the gRPC code of a TensorFlow error; TensorFlow and gRPC use the same numbers."""
    return _CODES.get(error.error_code, grpc.StatusCode.UNKNOWN)


def kernel_message(error: tf.errors.OpError) -> str:
    """Returns what the kernel said, without the lines about where Python called it; see `in_plain_words`."""
    return in_plain_words(_FUNCTION.sub("", _SUFFIX.sub("", _PREFIX.sub("", str(error.message)))))


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """Returns the status of a request that raised an error.

    `RequestError` and TensorFlow's errors carry their own; anything else is INTERNAL, and its stack trace goes to the
    log only.
    """
    if isinstance(error, RequestError):
        return error.code, error.details
    if isinstance(error, tf.errors.OpError):
        return kernel_code(error), kernel_message(error)
    _log.error("unexpected error answering a request", exc_info=error)
    return grpc.StatusCode.INTERNAL, "Internal error; the server's log has the cause."
