"""Checkpoints of a whole model, one an epoch, that survive being killed."""

import os
import re
import warnings
from pathlib import Path
from typing import Any

import keras

from keras_vae.files import make_folder
from keras_vae.model_file import load_model

_NAME = re.compile(r"epoch-(\d{5,})\.keras")


class Checkpoint(keras.callbacks.Callback):
    """Save the model, its optimizer included, after each epoch, and keep the last two.

    Each file is written whole or not at all, so a run killed at any moment leaves the last finished epoch.

    Args:
        directory: Where to write `epoch-00001.keras`, …; made if missing.

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
        """Make the directory."""
        make_folder(self.directory)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, then remove the checkpoint before the last."""
        self.model.save(self.directory / f"epoch-{epoch + 1:05d}.keras")
        for old in checkpoints(self.directory)[2:]:
            old.unlink()


def checkpoints(directory: str | os.PathLike[str]) -> list[Path]:
    """Return the checkpoints in `directory`, newest first."""
    found = [p for p in Path(directory).glob("epoch-*.keras") if _NAME.fullmatch(p.name)]
    return sorted(found, key=_epoch, reverse=True)


def restore(directory: str | os.PathLike[str]) -> tuple[keras.Model, int] | None:
    """Load the newest checkpoint that is sound.

    Returns:
        The compiled model and the number of epochs it has been trained, or None if there is no checkpoint.

    Raises:
        ValueError: If there are checkpoints, but none can be loaded.
    """
    damage = None
    for path in checkpoints(directory):
        try:
            return load_model(path), _epoch(path)
        except (OSError, ValueError, KeyError) as error:  # not TypeError: an unknown class
            damage = f"{path} cannot be loaded: {error}"
            warnings.warn(f"{damage}; trying the one before", stacklevel=2)
    if damage:
        raise ValueError(
            f"None of the checkpoints in {directory} can be loaded ({damage}). Put back a copy of one, or move the "
            "directory away to begin anew"
        )
    return None


def _epoch(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None, path
    return int(match[1])
