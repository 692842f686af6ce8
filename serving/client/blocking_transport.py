"""The blocking transport of `Client`, and the functions that run coroutines to their end on it."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent import futures
from typing import Any, TypeVar

import grpc

from .transport import open_channel, procedures

T = TypeVar("T")


class BlockingTransport:
    """Sends and waits in the calling thread, and in a few others for requests sent at the same time."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        """Opens a channel, which connects when it is first used.

        Args:
            address: The server's address.
            credentials: For TLS; None for none.
        """
        self._channel = open_channel(grpc, address, credentials)
        self._procedures = procedures(self._channel)
        self._threads = futures.ThreadPoolExecutor(thread_name_prefix="serving-client")

    async def attempt(self, method: str, request: Any, timeout: float) -> Any:
        """Calls a remote procedure once."""
        return self._procedures[method](request, timeout=timeout)

    async def sleep(self, seconds: float) -> None:
        """Blocks."""
        time.sleep(seconds)

    def start(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> futures.Future:
        """Runs a coroutine in a thread."""
        return self._threads.submit(lambda: finish(make()))

    async def result(self, begun: futures.Future) -> Any:
        """Blocks until there is a result."""
        return begun.result()

    async def drop(self, begun: Iterable[futures.Future]) -> None:
        """Cancels what has not started; the rest ends at its deadline or at `close`."""
        for future in begun:
            future.cancel()

    def close(self) -> None:
        """Closes the channel, which cancels what is in flight."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._channel.close()


def finish(awaitable: Awaitable[T]) -> T:
    """Runs a coroutine that waits for nothing but a `BlockingTransport`, and returns its result."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a blocking client may wait for its transport only")


def each(generator: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yields the items of such a generator."""
    try:
        while True:
            try:
                item = finish(anext(generator))
            except StopAsyncIteration:
                return
            yield item
    finally:
        finish(generator.aclose())
