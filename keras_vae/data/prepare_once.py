"""Prepares a TFDS set of this package exactly once, across processes and interruptions."""

import fcntl
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def prepare_once(builder: Any, prepare: Callable[..., None], **kwargs: Any) -> None:
    """Prepare the set once, even if several processes ask at the same time or one was killed while preparing it.

    TFDS writes into a folder named by Python's `random` and renames it at the end. Processes that start with the same
    seed would share that name, hence the lock. Preparing a set would also change the weights of a model built
    afterward, hence the restored random state.

    Args:
        builder: The builder of the set.
        prepare: TFDS's own `download_and_prepare`.
        kwargs: The arguments of `prepare`.
    """
    root = Path(builder.data_dir).parent
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in root.glob("incomplete.*"):
            shutil.rmtree(leftover)
        state = random.getstate()
        try:
            prepare(**kwargs)
        finally:
            random.setstate(state)
    if not builder.info.splits:
        builder.info.read_from_directory(builder.data_dir)  # another process prepared it while this one waited
