"""Flushes denormal numbers to zero in the calling thread, as TensorFlow does in its own threads.

Otherwise a graph gives other last bits in this thread than in TensorFlow's, and is slow where its numbers are tiny.
"""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# The floating-point environment of C on x86-64 Linux: 32 bytes, of which the last four are the register MXCSR.
_SIZE, _MXCSR = 32, 28
_FLUSH_RESULTS, _READ_AS_ZERO = 0x8000, 0x0040


def _library() -> ctypes.CDLL | None:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return None
    # The interpreter is linked with C's mathematics. This keeps its lock: giving it away takes longer than a call.
    library = ctypes.PyDLL(None)
    return library if hasattr(library, "fesetenv") else None


_math = _library()
_flushing = ctypes.create_string_buffer(_SIZE)
if _math is not None:
    _math.fegetenv(_flushing)
    _register = int.from_bytes(_flushing.raw[_MXCSR:], "little") | _FLUSH_RESULTS | _READ_AS_ZERO
    _flushing.raw = _flushing.raw[:_MXCSR] + _register.to_bytes(_SIZE - _MXCSR, "little")

# Whether `flushed` has an effect on this machine.
AVAILABLE = _math is not None


@contextmanager
def flushed() -> Iterator[None]:
    """Within this context, denormal numbers are zeros in the calling thread.

    Example:
        >>> import numpy as np
        >>> with flushed():
        ...     halved = np.finfo(np.float32).tiny / np.float32(2)
        >>> float(halved) if AVAILABLE else 0.0
        0.0
    """
    if _math is None:
        yield
        return
    before = ctypes.create_string_buffer(_SIZE)  # one of TensorFlow's own threads flushes already, and must go on
    _math.fegetenv(before)
    _math.fesetenv(_flushing)
    try:
        yield
    finally:
        _math.fesetenv(before)
