"""How a client sends, pauses and works in parallel: the one difference between the blocking and asynchronous clients.

Everything a client decides is written once, in coroutines that wait for nothing but a `Transport`. The asynchronous
client awaits them; the blocking one runs them to their end, because its transport blocks and never suspends them.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol

import grpc

from ..wire import messages

OPTIONS = [
    # A client may receive everything it asked for; gRPC's default is only 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # By default a client would wait up to minutes before it looks for a restarted server.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A name with several addresses is several servers: one connection would leave all but one idle.
    ("grpc.lb_policy_name", "round_robin"),
]

# Each procedure's service, request and response.
_PROCEDURES = {
    "Predict": ("PredictionService", messages.PredictRequest, messages.PredictResponse),
    "GetModelMetadata": (
        "PredictionService",
        messages.GetModelMetadataRequest,
        messages.GetModelMetadataResponse,
    ),
    "GetModelStatus": ("ModelService", messages.GetModelStatusRequest, messages.GetModelStatusResponse),
}


class Transport(Protocol):
    """Sends, pauses, and runs several coroutines at a time."""

    async def attempt(self, method: str, request: Any, timeout: float) -> Any:
        """Calls a remote procedure once.

        Args:
            method: Its name, such as `Predict`.
            request: Its request.
            timeout: The seconds it may take.

        Returns:
            The response.

        Raises:
            grpc.RpcError: If the server does not answer with one.
        """

    async def sleep(self, seconds: float) -> None:
        """Pauses."""

    def start(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Starts the coroutine that `make` returns, without waiting, and returns a handle for `result`."""

    async def result(self, begun: Any) -> Any:
        """Waits for a started coroutine, and returns or raises what it does."""

    async def drop(self, begun: Iterable[Any]) -> None:
        """Cancels started coroutines."""


def procedures(channel: Any) -> dict[str, Callable[..., Any | Awaitable[Any]]]:
    """Returns the remote procedures a client calls, by name, on either kind of channel."""
    return {
        name: channel.unary_unary(
            f"/tensorflow.serving.{service}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        for name, (service, request, response) in _PROCEDURES.items()
    }


def open_channel(module: Any, address: str, credentials: grpc.ChannelCredentials | None) -> Any:
    """Opens a channel of `grpc` or `grpc.aio`, with TLS if there are credentials."""
    if credentials is None:
        return module.insecure_channel(address, options=OPTIONS)
    return module.secure_channel(address, credentials, options=OPTIONS)
