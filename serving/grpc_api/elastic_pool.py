"""`ElasticPool`: a thread pool that runs few threads, and adds more only while those are stuck."""

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

# Seconds without a finished task, while work waits, after which a thread is added.
_PATIENCE = 0.01


class ElasticPool(futures.Executor):
    """Runs tasks on a few threads, as long as they make progress.

    Threads that run Python at the same time compete for the interpreter's lock, so few are faster than many. But a
    thread may be stuck, in a model that takes seconds or on a client that opened a call and sends nothing. While work
    waits and nothing finishes, threads are added.
    """

    def __init__(self, *, core: int, most: int) -> None:
        """Starts the first threads.

        Args:
            core: The number of threads that always run.
            most: The most threads, including those added while others are stuck.
        """
        self._core, self._most = core, most
        # In C: Python's own deque, lock and semaphore took half as long as a small model.
        self._tasks: queue.SimpleQueue[tuple[futures.Future, Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._finished = 0
        self._backlog = threading.Event()
        self._closed = False
        for _ in range(min(core, most)):
            self._add_thread()
        threading.Thread(target=self._relieve, name="serving-relief", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future:
        """Runs a function on one of the threads.

        Raises:
            RuntimeError: If the pool is shut down.
        """
        if self._closed:
            raise RuntimeError("the pool is shut down and accepts no tasks")
        future: futures.Future = futures.Future()
        self._tasks.put((future, lambda: fn(*args, **kwargs)))
        if not self._backlog.is_set():
            self._backlog.set()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accepts no more tasks, and ends the threads when the waiting ones are done.

        Args:
            wait: Ignored: stuck threads must not delay the end of the process.
            cancel_futures: Whether to drop the waiting tasks.
        """
        self._closed = True
        if cancel_futures:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._tasks.get_nowait()
        for _ in range(self._most):
            self._tasks.put(None)
        self._backlog.set()

    @property
    def threads(self) -> int:
        """The current number of threads."""
        return self._threads

    def _add_thread(self) -> None:
        with self._lock:
            self._threads += 1
        threading.Thread(target=self._work, name="serving-worker", daemon=True).start()

    def _work(self) -> None:
        while True:
            task = self._tasks.get()
            if task is None:
                break
            future, call = task
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
            self._finished += 1  # without a lock: a lost count would only add an unneeded thread
            del task, future, call
            if self._threads > self._core and self._tasks.empty() and self._leave():
                return
        with self._lock:
            self._threads -= 1

    def _leave(self) -> bool:
        """Removes this thread from the pool, if there are more than `core`."""
        with self._lock:
            if self._threads <= self._core:
                return False
            self._threads -= 1
            return True

    def _relieve(self) -> None:
        """Adds a thread whenever work waits and no task finishes."""
        pause = threading.Event()
        while not self._closed:
            self._backlog.wait()
            finished = self._finished
            pause.wait(_PATIENCE)
            if self._tasks.empty():
                self._backlog.clear()
                if not self._tasks.empty():  # submitted meanwhile
                    self._backlog.set()
            elif self._finished == finished and self._threads < self._most:
                self._add_thread()
