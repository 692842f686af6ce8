"""Model files: loaded as they were written, or not at all."""

import errno
import os
import zipfile
from pathlib import Path
from typing import Any

import keras

_PARTS = {"config.json", "model.weights.h5"}


def load_model(path: str | os.PathLike[str], cure: str = "") -> Any:
    """Load a `.keras` file, as `keras.saving.load_model`, once every byte of it has passed its checksum.

    Args:
        path: The file.
        cure: What to do if it is damaged, for the error's text.

    Raises:
        ValueError: If the file was cut short or changed, or is no model of Keras.
        FileNotFoundError: If there is none.
    """
    damage = _damage(Path(path))
    if damage:
        raise ValueError(f"{path} is damaged, or no model of Keras: {damage}{cure and '. ' + cure}")
    return keras.saving.load_model(path)


def _damage(path: Path) -> str | None:
    """Return what is wrong with the archive, if anything is."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
                found = set(archive.namelist())
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):  # the disk's own; those two are of a seek to nowhere
                raise
            return str(error) or type(error).__name__
        except Exception as error:  # a changed byte may look like encryption, a newer format, text in no encoding, …
            return str(error) or type(error).__name__
    if damaged is not None:
        return f"the checksum of {damaged} in it is wrong"
    if not found >= _PARTS:
        return f"wanted {' and '.join(sorted(_PARTS))} in it; found {', '.join(sorted(found)) or 'nothing'}"
    return None
