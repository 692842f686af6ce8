"""The metrics of each epoch, in a file."""

import json
import os
from pathlib import Path
from typing import Any

import keras

from keras_vae.files import whole


class HistoryFile(keras.callbacks.Callback):
    """Write each epoch's metrics to a JSON file, whole after each epoch; continue it when training resumes.

    The file holds a list of objects, one an epoch, with the key `epoch` (counted from 1) and the metrics in
    nats per example.

    Args:
        path: The file.
        initial_epoch: Epochs trained before; later entries in an older file are dropped.
    """

    def __init__(self, path: str | os.PathLike[str], initial_epoch: int = 0) -> None:
        super().__init__()
        self.path = Path(path)
        self.entries = [e for e in read_history(self.path) if e["epoch"] <= initial_epoch]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the epoch."""
        self.entries.append({"epoch": epoch + 1, **{k: float(v) for k, v in (logs or {}).items()}})
        with whole(self.path) as unfinished:
            unfinished.write_text(json.dumps(self.entries, indent=1))


def read_history(path: str | os.PathLike[str]) -> list[dict[str, float]]:
    """Return the entries of a history file, or none if it does not exist.

    Raises:
        ValueError: If the file is damaged.
    """
    if not Path(path).exists():
        return []
    try:
        entries = json.loads(Path(path).read_text())
        return [{**entry, "epoch": int(entry["epoch"])} for entry in entries]
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{path} is not a history of keras_vae ({error}); move it away to go on without it") from None
