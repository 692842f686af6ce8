"""Loading `.keras` files after verifying their checksums."""

import errno
import os
import zipfile
from pathlib import Path
from typing import Any

import keras

_PARTS = {"config.json", "model.weights.h5"}


def load_model(path: str | os.PathLike[str], advice: str = "") -> Any:
    """Load a `.keras` file like `keras.saving.load_model`, after verifying the checksum of every part.

    Args:
        path: The file.
        advice: What to do if the file is damaged: the last sentence of the error message. Defaults to none.

    Raises:
        ValueError: If the file is truncated, changed, or not a Keras model.
        FileNotFoundError: If the file does not exist.
    """
    damage = _damage(Path(path))
    if damage:
        raise ValueError(f"{path} is damaged or not a Keras model: {damage}{advice and '. ' + advice}")
    return keras.saving.load_model(path)


def _damage(path: Path) -> str | None:
    """Return what is wrong with the archive, or None."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
                found = set(archive.namelist())
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):  # from the disk; these two come from an invalid seek
                raise
            return str(error) or type(error).__name__
        except Exception as error:  # a changed byte may look like encryption, a newer format, invalid text, and so on
            return str(error) or type(error).__name__
    if damaged is not None:
        return f"the checksum of {damaged} is wrong"
    if not found >= _PARTS:
        return f"expected {' and '.join(sorted(_PARTS))}, received {', '.join(sorted(found)) or 'nothing'}"
    return None
