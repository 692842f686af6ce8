"""The transport of `AsyncClient`, in the running event loop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import grpc

from .transport import open_channel, procedures


class AsyncTransport:
    """Sends and waits in the running event loop."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        """Opens nothing yet, because a channel belongs to the event loop that opens it.

        Args:
            address: The server's address.
            credentials: For TLS; None for none.
        """
        self._address = address
        self._credentials = credentials
        self._channel: Any = None
        self._procedures: dict[str, Callable[..., Any]] = {}

    async def attempt(self, method: str, request: Any, timeout: float) -> Any:
        """Calls a remote procedure once."""
        if self._channel is None:
            self._channel = open_channel(grpc.aio, self._address, self._credentials)
            self._procedures = procedures(self._channel)
        return await self._procedures[method](request, timeout=timeout)

    async def sleep(self, seconds: float) -> None:
        """Pauses this task only."""
        await asyncio.sleep(seconds)

    def start(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task:
        """Runs a coroutine as a task."""
        return asyncio.create_task(make())

    async def result(self, begun: asyncio.Task) -> Any:
        """Waits for a task."""
        return await begun

    async def drop(self, begun: Iterable[asyncio.Task]) -> None:
        """Cancels tasks, and waits until they have ended."""
        tasks = list(begun)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Closes the channel, which cancels what is in flight."""
        if self._channel is not None:
            await self._channel.close()
