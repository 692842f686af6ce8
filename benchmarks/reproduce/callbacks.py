"""What happens after an epoch, beside what the package itself does."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras


class Seconds(keras.callbacks.Callback):
    """Add an epoch's seconds to its figures."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the moment."""
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add them."""
        if logs is not None:
            logs["seconds"] = time.perf_counter() - self.begun


class Keep(keras.callbacks.Callback):
    """Save the model after certain epochs."""

    def __init__(self, folder: Path, epochs: Collection[int]) -> None:
        super().__init__()
        self.folder, self.epochs = folder, epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save it."""
        if epoch + 1 in self.epochs:
            self.model.save(kept_path(self.folder, epoch + 1))


def kept_path(folder: Path, epoch: int) -> Path:
    """Return where the model of an epoch is kept."""
    return folder / f"kept-{epoch:05d}.keras"
