"""The connections under the REST interface, on waitress: how many there may be, and which of them end when."""

import logging
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher, WSGITask

from serving.rest.wsgi import RECEIVED

_log = logging.getLogger(__name__)

# At this many, the idlest are closed to make room. A connection is idle if no request of it is being answered and
# nothing has moved on it for a moment: what has just been accepted may be about to be read.
MAX_CONNECTIONS = 1000
_IDLE_SECONDS = 1.0
# Accepted in one step: as many as wait, but others must be read in between.
_ACCEPTS = 64
# Seconds without a byte after which a connection is closed, as by libevent under TensorFlow Serving.
SILENCE_SECONDS = 50
# Seconds from the first byte of a request in which its head must have come; and its body, plus a second for each so
# many bytes that have come. The limits of Apache's mod_reqtimeout.
HEAD_SECONDS = 20.0
BODY_SECONDS = 20.0
_BYTES_A_SECOND = 500
# Seconds between two warnings that connections are closed to make room.
_WARNING_PAUSE = 60.0


class _Task(WSGITask):
    """A request that knows when it arrived."""

    def get_environment(self) -> dict[str, Any]:
        environ = super().get_environment()
        # The last bytes arrived when the request was complete; waitress uses wall-clock time.
        waited = max(time.time() - self.channel.last_activity, 0.0)
        environ[RECEIVED] = time.monotonic() - waited
        return environ


class Connection(HTTPChannel):
    """A connection that knows when the request on it began to arrive."""

    task_class = _Task

    begun = 0.0
    arrived = 0

    def received(self, data: bytes) -> bool:
        """Takes bytes that have arrived."""
        before = self.request
        taken = super().received(data)
        if self.request is not before:
            self.begun, self.arrived = time.monotonic(), 0
        self.arrived += len(data)
        return taken

    def is_overdue(self) -> bool:
        """Returns whether a request should have arrived completely by now."""
        if self.request is None:
            return False
        if self.requests:  # nothing is read before these are answered
            self.begun = time.monotonic()
        allowed = BODY_SECONDS + self.arrived / _BYTES_A_SECOND if self.request.headers_finished else HEAD_SECONDS
        return time.monotonic() - self.begun > allowed


class Connections(TcpWSGIServer):
    """Accepts connections, and closes those that are overdue, silent, or idle when others wait for room."""

    channel_class = Connection
    next_channel_cleanup = 0.0

    def __init__(self, application: Any, listener: Any, adjustments: Adjustments) -> None:
        """Starts to listen.

        Args:
            application: The WSGI application that answers.
            listener: The bound socket.
            adjustments: Waitress's settings.
        """
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(adjustments.threads)
        info = (listener.family, listener.type, listener.proto, listener.getsockname())
        self._may_warn_at = 0.0
        super().__init__(
            application, {}, True, listener, dispatcher=dispatcher, adj=adjustments, sockinfo=info, bind_socket=False
        )

    def readable(self) -> bool:
        """Returns whether to accept connections."""
        now = time.time()
        if now >= self.next_channel_cleanup:
            self.next_channel_cleanup = now + self.adj.cleanup_interval
            self.maintenance(now)
        return self.accepting and (len(self.active_channels) < MAX_CONNECTIONS or bool(self._idle()))

    def handle_accept(self) -> None:
        """Accepts those that wait, then closes as many idle ones as there are too many.

        In this order: the number of a closed socket must not be given to a new one while its events are handled.
        """
        for _ in range(_ACCEPTS):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                break
        surplus = len(self.active_channels) - MAX_CONNECTIONS
        if surplus > 0:
            self._warn()
            for connection in self._idle()[:surplus]:
                connection.handle_close()

    def maintenance(self, now: float) -> None:
        """Closes the connections that are silent or overdue."""
        super().maintenance(now)
        for connection in self.active_channels.values():
            if connection.is_overdue():
                connection.will_close = True

    def _idle(self) -> list[Connection]:
        """Returns the idle connections, the idlest first."""
        latest = time.time() - _IDLE_SECONDS
        idle = [one for one in self.active_channels.values() if not one.requests and one.last_activity < latest]
        return sorted(idle, key=lambda one: one.last_activity)

    def _warn(self) -> None:
        if time.monotonic() >= self._may_warn_at:
            self._may_warn_at = time.monotonic() + _WARNING_PAUSE
            _log.warning("REST has %d connections, its limit: the idlest are closed for new ones", MAX_CONNECTIONS)
