"""The thread that keeps looking: for new versions, for versions to try again, and for a new list of models."""

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Watch:
    """Calls functions over and over, each with its own pause, from one thread."""

    def __init__(self, then: Callable[[], object]) -> None:
        """Begins with nothing to call.

        Args:
            then: Is called after each call of another.
        """
        self._then = then
        self._calls: list[tuple[float, Callable[[], object]]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def every(self, seconds: float, call: Callable[[], object]) -> None:
        """Adds a function; one that raises is reported and called again in its time."""
        self._calls.append((seconds, call))

    def start(self) -> None:
        """Begins, if there is anything to call."""
        if self._calls:
            self._thread = threading.Thread(target=self._run, name="serving-watch", daemon=True)
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ends once the function being called returns, or when the seconds are over."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        begun = time.monotonic()
        due = [begun + seconds for seconds, _ in self._calls]
        while not self._stopping.wait(max(min(due) - time.monotonic(), 0.0)):
            index = due.index(min(due))
            seconds, call = self._calls[index]
            try:
                call()
                self._then()
            except Exception:
                _log.exception("unexpected error while looking for changes")
            due[index] = time.monotonic() + seconds
