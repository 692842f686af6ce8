"""What TensorFlow says when its logs cannot be written, in plain words."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf


@contextlib.contextmanager
def clear_log_errors(log_dir: Path) -> Iterator[None]:
    """Turn TensorFlow's error of a summary that cannot be written into one OSError that says what to do.

    Args:
        log_dir: Where the block's summaries go; other errors pass as they are.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if str(log_dir) not in str(error):
            raise
        full = isinstance(error, tf.errors.ResourceExhaustedError)
        reason = next((line.split("; ")[-1] for line in str(error).splitlines() if str(log_dir) in line), str(error))
        raise OSError(
            errno.ENOSPC if full else errno.EIO,
            f"{reason}: the logs in {log_dir} cannot be written; the last checkpoint is kept. See to the disk's free "
            "space and to the rights in that folder, then give the same command again",
        ) from error
