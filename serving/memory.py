"""How the process's C library keeps freed memory."""

import contextlib
import ctypes

# glibc's names and numbers, from malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE = 1024 * 1024
_ARENAS = 2


def give_back_freed_memory() -> None:
    """Sees to it that the memory of a large request goes back to the system once it is answered.

    By default glibc keeps what a thread has freed, up to 64 MB, for that thread: a server with many threads would grow
    until each has had its largest request. Call it before threads begin; elsewhere than on glibc it does nothing.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
