"""`RestServer`: the HTTP server under the REST interface, on waitress."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments

from serving.core.methods import Methods
from serving.core.observation import Observer
from serving.rest.connections import MAX_CONNECTIONS, SILENCE_SECONDS, Connections
from serving.rest.methods import RestMethods
from serving.rest.wsgi import Application
from serving.wire.protocol import MAX_MESSAGE_BYTES

_MAX_HEADER_BYTES = 64 * 1024
_RECEIVE_BYTES = 128 * 1024
# Seconds between checks of a draining server for unanswered requests.
_LOOK = 0.05


class RestServer:
    """Listens on a port, and answers on its own threads."""

    def __init__(
        self,
        methods: Methods,
        *,
        host: str,
        port: int,
        observe: Observer,
        num_threads: int,
        timeout_in_ms: int,
        prometheus_path: str | None,
        render_metrics: Callable[[], tuple[bytes, str]],
        cors: bool,
    ) -> None:
        """Prepares the server; `start` starts it.

        Args:
            methods: The methods that answer the requests.
            host: The address to listen on.
            port: The port to listen on; 0 for any free port.
            observe: Called after each request.
            num_threads: How many requests are answered at a time; others wait.
            timeout_in_ms: How long an answer may take, in milliseconds, including the wait for a thread.
            prometheus_path: The path of the metrics; None for none.
            render_metrics: Returns the metrics' text and its content type.
            cors: Whether pages from other origins may ask.
        """
        self.host, self.port = host, port
        self._application = Application(
            RestMethods(methods), timeout_in_ms, prometheus_path, render_metrics, cors, observe
        )
        self._num_threads = num_threads
        self._server: Any = None
        self._loop = threading.Thread(target=self._run, name="serving-rest", daemon=True)
        self._last_moment: float | None = None

    def start(self) -> None:
        """Starts to answer; `port` is then the port it listens on.

        Raises:
            OSError: If it cannot listen on the port.
        """
        listener = _listener(self.host, self.port)
        adjustments = Adjustments(
            sockets=[listener],
            threads=self._num_threads,
            max_request_body_size=MAX_MESSAGE_BYTES + 1,  # this size is refused
            max_request_header_size=_MAX_HEADER_BYTES,
            recv_bytes=_RECEIVE_BYTES,
            channel_timeout=SILENCE_SECONDS,
            cleanup_interval=1,
            log_socket_errors=False,
            ident=None,
        )
        self._server = Connections(self._application, listener, adjustments)
        # Waiting requests need no warning each: they are answered in time, or with a status that says they are not.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self.port = listener.getsockname()[1]
        self._loop.start()

    def stop(self, grace: float) -> None:
        """Stops accepting connections, and waits for the requests that have arrived.

        Args:
            grace: How many seconds they may take.
        """
        if not self._loop.is_alive():
            return

        def end() -> None:
            self._last_moment = time.monotonic() + grace

        self._server.trigger.pull_trigger(end)  # runs on the thread that moves bytes
        self._loop.join()
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.trigger.close()  # last, because the other threads wake the loop with it

    def _run(self) -> None:
        """Moves bytes until the stop; only this thread touches sockets."""
        server, connections = self._server, self._server._map
        while self._last_moment is None:
            wasyncore.loop(timeout=1.0, use_poll=True, map=connections, count=1)
        wasyncore.dispatcher.close(server)
        while self._close_idle() and time.monotonic() < self._last_moment:
            wasyncore.loop(timeout=_LOOK, use_poll=True, map=connections, count=1)
        for channel in list(server.active_channels.values()):
            channel.handle_close()

    def _close_idle(self) -> bool:
        """Closes the connections without open requests; returns whether others are left."""
        channels = list(self._server.active_channels.values())
        busy = [channel for channel in channels if channel.requests or channel.request or channel.total_outbufs_len]
        for channel in channels:
            if channel not in busy:
                channel.handle_close()
        return bool(busy)


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address in brackets
        raise OSError(f"cannot listen on {host}:{port} for REST: {reason}") from error
