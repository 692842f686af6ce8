"""Locks on directories, which end with the process that holds them, however it ends."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(directory: Path, wait: bool = False) -> Iterator[bool]:
    """Lock a directory for the length of the block, and say whether that succeeded.

    The lock is advisory: it keeps out those who ask, in this and in other processes.

    Args:
        directory: An existing directory.
        wait: Whether to wait for whoever holds the lock, rather than fail.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)  # which also unlocks
