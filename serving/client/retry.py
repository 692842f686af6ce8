"""When a client calls again: while the server is away, or has too much to do."""

import random
import re
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0

# RESOURCE_EXHAUSTED has two meanings. These words mean load, which passes: "Server Threadpool Exhausted", or nothing in
# older releases (gRPC for C++, src/cpp/server/server_cc.cc, and so TensorFlow Serving); "Concurrent RPC limit
# exceeded!" (gRPC for Python, and so the local server); "RST_STREAM with error code 11" (HTTP/2: enhance your calm); a
# full queue; and what proxies say that limit rates. Any others, such as "Received message larger than max", are about
# the request, which would be refused again.
_LOAD = re.compile(
    r"^$|thread ?pool exhausted|concurrent rpc|RST_STREAM with error code 11\b|queue\b.*\bfull\b"
    r"|too many (concurrent|pending|requests)|rate.?limit|overload",
    re.IGNORECASE,
)

Response = TypeVar("Response")


async def call_with_retry(
    attempt: Callable[[float], Awaitable[Response]], sleep: Callable[[float], Awaitable[None]], timeout: float
) -> Response:
    """Calls until answered, with longer pauses each time the server is UNAVAILABLE or has too much to do.

    A pause is random, between half of its longest value and all of it; that value doubles from 0.05 s to 1 s.

    A server that dies in the middle of a call is UNAVAILABLE too, and may have done the work. All calls made through
    this only compute and change nothing on the server, so repeating one does no harm.

    Args:
        attempt: Calls once, within the given number of seconds.
        sleep: Pauses for a number of seconds.
        timeout: The seconds that all attempts together may take.

    Returns:
        The response.

    Raises:
        grpc.RpcError: The last attempt's error; any but UNAVAILABLE, and RESOURCE_EXHAUSTED from load, ends the
            attempts. If time runs out during a later attempt, the error of the attempt before it, which says why.
    """
    deadline = time.monotonic() + timeout
    longest = _FIRST_PAUSE
    passing: grpc.RpcError | None = None
    while True:
        try:
            return await attempt(deadline - time.monotonic())
        except grpc.RpcError as error:
            if passing is not None and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise passing from error
            # Clients that were refused together should not all return at the same moment.
            pause = random.uniform(longest / 2, longest)
            if not passes(error) or time.monotonic() + pause >= deadline:
                raise
            passing = error
        await sleep(pause)
        longest = min(2 * longest, _LONGEST_PAUSE)


def passes(error: grpc.RpcError) -> bool:
    """Returns whether the same call may succeed later: the server is away, or refused it for its load alone."""
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _LOAD.search(error.details() or "") is not None
    return error.code() is grpc.StatusCode.UNAVAILABLE
