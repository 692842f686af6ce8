"""`Deadline`: when a request's work must end, and how another thread ends it."""

import threading
import time

import grpc
from tensorflow.python.eager.cancellation import CancellationManager

from serving.core.errors import RequestError

# Seconds. At the deadline the client ends the call, by its own clock, which may be a little ahead.
_CLOCK_SLACK = 0.02


class Deadline:
    """Ends a request's work when its time is up or its client has gone.

    TensorFlow's own cancellation, which has no public name, stops a graph between two operations.
    """

    def __init__(self, at: float | None = None) -> None:
        """Sets the time.

        Args:
            at: The time, in seconds of `time.monotonic`; None for never.
        """
        self.at = at
        self.manager = CancellationManager()
        self._timer: threading.Timer | None = None

    def cancel(self) -> None:
        """Stops the work; no effect if it is done."""
        self.manager.start_cancel()

    def watch(self) -> None:
        """Starts a timer that cancels at the deadline, for a transport that does not do so itself."""
        if self.at is not None:
            self._timer = threading.Timer(max(self.at - time.monotonic(), 0.0), self.cancel)
            self._timer.daemon = True
            self._timer.start()

    def unwatch(self) -> None:
        """Stops the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def error(self) -> RequestError:
        """Returns the error for work that was stopped."""
        if self.at is not None and time.monotonic() >= self.at - _CLOCK_SLACK:
            return RequestError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        return RequestError(grpc.StatusCode.CANCELLED, "Cancelled")

    def check(self) -> None:
        """Raises if there is no time left.

        Raises:
            RequestError: If the time is up or the work was cancelled.
        """
        if self.manager.is_cancelled or (self.at is not None and time.monotonic() >= self.at):
            raise self.error()
