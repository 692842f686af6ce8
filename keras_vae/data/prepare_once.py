"""Preparing a TFDS set of ours: once, whoever asks and whatever was interrupted."""

import fcntl
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def prepare_once(builder: Any, prepare: Callable[..., None], **kwargs: Any) -> None:
    """Prepare the set once, even if several processes ask at the same time or one was killed at it.

    TFDS writes into a folder named by Python's `random` and renames it at the end. Processes that start together from
    one seed would share that name, hence the lock; and a model built after the first preparation would get other
    weights than one built after the second, hence the restored state.

    Args:
        builder: Of the set.
        prepare: TFDS's own `download_and_prepare`.
        kwargs: Its arguments.
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
