"""The error a request is answered with."""

import grpc


class RequestError(Exception):
    """Ends a request with a gRPC status.

    Attributes:
        code: The status code.
        details: The message the client gets.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


def invalid_argument(details: str) -> RequestError:
    """Returns the error for a request that could never be answered."""
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, details)


def not_found(details: str) -> RequestError:
    """Returns the error for a model or version that is not served."""
    return RequestError(grpc.StatusCode.NOT_FOUND, details)
