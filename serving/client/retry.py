"""Calls a remote procedure again while its server is away."""

import random
import time
from collections.abc import Callable
from typing import Any

import grpc

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


def call_with_retry(rpc: Callable[..., Any], request: Any, timeout: float) -> Any:
    """Calls until answered, pausing longer each time the server is UNAVAILABLE.

    Args:
        rpc: The remote procedure.
        request: Its request; sending it twice must do no harm.
        timeout: The seconds all attempts may take together.

    Returns:
        The response.

    Raises:
        grpc.RpcError: The last attempt's error; any but UNAVAILABLE is raised at once.
    """
    deadline = time.monotonic() + timeout
    longest = _FIRST_PAUSE
    while True:
        try:
            return rpc(request, timeout=deadline - time.monotonic())
        except grpc.RpcError as error:
            # Clients that lost a server together should not come back to it together.
            pause = random.uniform(longest / 2, longest)
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)
        longest = min(2 * longest, _LONGEST_PAUSE)
