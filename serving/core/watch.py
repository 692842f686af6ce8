"""`Watch`: the thread that looks for new versions, for versions to retry, and for a new list of models."""

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Watch:
    """Calls functions repeatedly from one thread, each at its own interval."""

    def __init__(self, then: Callable[[], object]) -> None:
        """Starts without functions.

        Args:
            then: Called after each call of another function.
        """
        self._then = then
        self._calls: list[tuple[float, Callable[[], object]]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def every(self, seconds: float, call: Callable[[], object]) -> None:
        """Adds a function; if it raises, the error is logged and it is called again later."""
        self._calls.append((seconds, call))

    def start(self) -> None:
        """Starts the thread, if there is a function to call."""
        if self._calls:
            self._thread = threading.Thread(target=self._run, name="serving-watch", daemon=True)
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stops, and waits at most `timeout` seconds for the current call."""
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
