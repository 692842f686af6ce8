"""What is known of a request once it has been answered, and the ID by which its client and the log name it."""

import itertools
import re
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

# The header over REST, and the metadata over gRPC.
REQUEST_ID = "x-request-id"
# An ID goes into headers and into lines of a log.
_USABLE = re.compile(r"[!-~]{1,128}")
_PROCESS, _NUMBERS = uuid.uuid4().hex[:16], itertools.count(1)


class Observation(NamedTuple):
    """A request that has been answered.

    Attributes:
        api: The method, such as `Predict`; `unknown` for a call that ended before its handler began, and empty for an
            HTTP request that names no method.
        request: Its message; None if there is none.
        code: The status.
        seconds: How long the answer took.
        request_id: The ID; empty if none was assigned yet.
        http: The HTTP method and path, over REST.
    """

    api: str
    request: Any
    code: grpc.StatusCode
    seconds: float
    request_id: str
    http: str = ""


# Called after each request.
Observer = Callable[[Observation], None]


def request_id(sent: str) -> str:
    """Returns the ID of a request.

    Args:
        sent: The ID that its client has sent; empty for none.

    Returns:
        The client's, or a new one if that is empty, longer than 128 characters or not visible ASCII.

    Example:
        >>> request_id("3f2a-7")
        '3f2a-7'
        >>> len(request_id("not one word"))
        32
    """
    return sent if _USABLE.fullmatch(sent) else f"{_PROCESS}{next(_NUMBERS):016x}"
