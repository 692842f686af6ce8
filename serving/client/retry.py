"""Calls a remote procedure again while its server is away."""

import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0

Response = TypeVar("Response")


async def call_with_retry(
    attempt: Callable[[float], Awaitable[Response]], sleep: Callable[[float], Awaitable[None]], timeout: float
) -> Response:
    """Calls until answered, pausing longer each time the server is UNAVAILABLE.

    A server that dies in the middle of a call is UNAVAILABLE too, and may have done the work. All that is
    asked through this only computes, and changes nothing there: asking twice does no harm.

    Args:
        attempt: Calls once, within the seconds it is given.
        sleep: Pauses for seconds.
        timeout: The seconds all attempts may take together.

    Returns:
        The response.

    Raises:
        grpc.RpcError: The last attempt's error, any but UNAVAILABLE at once. If time runs out in an attempt that
            follows another, the other's error, which says why.
    """
    deadline = time.monotonic() + timeout
    longest = _FIRST_PAUSE
    away: grpc.RpcError | None = None
    while True:
        try:
            return await attempt(deadline - time.monotonic())
        except grpc.RpcError as error:
            if away is not None and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise away from error
            # Clients that lost a server together should not come back to it together.
            pause = random.uniform(longest / 2, longest)
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() + pause >= deadline:
                raise
            away = error
        await sleep(pause)
        longest = min(2 * longest, _LONGEST_PAUSE)
