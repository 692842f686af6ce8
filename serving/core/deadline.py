"""`Deadline`: when a request's work must end."""

import time

import grpc

from serving.core.errors import RequestError

# Seconds. At the deadline the client ends the call, by its own clock, which may be a little ahead.
_CLOCK_SLACK = 0.02


class Deadline:
    """The end of a request's time, or the departure of its client.

    What runs a graph hands the time to TensorFlow, which stops there. A client that leaves ends what has not begun.

    Attributes:
        at: The time, in seconds of `time.monotonic`; None for never.
        cancelled: Whether the client has gone.
    """

    def __init__(self, at: float | None = None) -> None:
        """Sets the time.

        Args:
            at: The time, in seconds of `time.monotonic`; None for never.
        """
        self.at = at
        self.cancelled = False

    def cancel(self) -> None:
        """Notes that the client has gone."""
        self.cancelled = True

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
        if self.cancelled or (self.at is not None and time.monotonic() >= self.at):
            raise self.error()
