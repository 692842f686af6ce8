"""Checkpoints and the history file of a run, from which training resumes."""

import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import keras

from keras_vae.utils.files import make_folder, whole
from keras_vae.utils.model_file import load_model

_NAME = re.compile(r"epoch-(\d{5,})\.keras")


class Checkpoint(keras.callbacks.Callback):
    """Save the model with its optimizer after each epoch, and keep the last two files.

    Files are written atomically, so a run that is killed at any time keeps its last finished epoch.

    Args:
        directory: Directory of `epoch-00001.keras`, …; created if missing.

    Example:
        ```python
        model, epoch = kv.training.restore("checkpoints") or (new_model, 0)
        model.fit(train, epochs=20, initial_epoch=epoch, callbacks=[kv.training.Checkpoint("checkpoints")])
        ```
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__()
        self.directory = Path(directory)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Create the directory."""
        make_folder(self.directory)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, then delete all but the last two checkpoints."""
        self.model.save(self.directory / f"epoch-{epoch + 1:05d}.keras")
        for old in checkpoints(self.directory)[2:]:
            old.unlink()


def checkpoints(directory: str | os.PathLike[str]) -> list[Path]:
    """Return the checkpoints in `directory`, newest first."""
    found = [p for p in Path(directory).glob("epoch-*.keras") if _NAME.fullmatch(p.name)]
    return sorted(found, key=_epoch, reverse=True)


def restore(directory: str | os.PathLike[str]) -> tuple[keras.Model, int] | None:
    """Load the newest checkpoint that is not damaged.

    Returns:
        The compiled model and the number of epochs that it was trained for, or None without a checkpoint.

    Raises:
        ValueError: If there are checkpoints, but none can be loaded.
    """
    damage = None
    for path in checkpoints(directory):
        try:
            return load_model(path), _epoch(path)
        except (OSError, ValueError, KeyError) as error:  # not TypeError, which is an unknown class
            damage = f"{path} cannot be loaded: {error}"
            warnings.warn(f"{damage}. Trying the previous one.", stacklevel=2)
    if damage:
        raise ValueError(
            f"{directory}: expected a checkpoint that can be loaded, received none ({damage}). Restore a copy of one, "
            "or move the directory away to start over."
        )
    return None


def _epoch(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None, path
    return int(match[1])


class HistoryFile(keras.callbacks.Callback):
    """Write the metrics of each epoch to a JSON file, and continue it when training resumes.

    The file is written whole after each epoch. It is a list of objects, one per epoch, with the key `epoch` (counted
    from 1) and the metrics in nats per example.

    Args:
        path: The file.
        initial_epoch: Number of epochs trained before; later entries of an existing file are dropped.
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
        raise ValueError(
            f"{path}: expected a history of keras_vae, received another file ({error}). Move it away to continue "
            "without it."
        ) from None
