"""Callbacks in addition to those of the package."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras


class Seconds(keras.callbacks.Callback):
    """Add the duration of each epoch, in seconds, to its logs."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the start time."""
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the duration to the logs."""
        if logs is not None:
            logs["seconds"] = time.perf_counter() - self.begun


class Keep(keras.callbacks.Callback):
    """Save the model after the given epochs."""

    def __init__(self, folder: Path, epochs: Collection[int]) -> None:
        super().__init__()
        self.folder, self.epochs = folder, epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the model if this is one of the epochs."""
        if epoch + 1 in self.epochs:
            self.model.save(kept_path(self.folder, epoch + 1))


def kept_path(folder: Path, epoch: int) -> Path:
    """Return the path of the model saved after an epoch."""
    return folder / f"kept-{epoch:05d}.keras"
