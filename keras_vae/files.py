"""Writing files that are whole or not there."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

# In the temporary names, so that what a killed process leaves can be found.
UNFINISHED = ".unfinished-"


@contextlib.contextmanager
def whole(path: str | os.PathLike[str], overwrite: bool = True) -> Iterator[Path]:
    """Give a path beside `path` to write to; when the block ends well, rename it into place.

    The temporary name keeps the suffix, by which writers choose their format.

    Raises:
        FileExistsError: If `path` exists and `overwrite` is false.
        FileNotFoundError: If the folder does not exist.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with whole(folder / "note.txt") as unfinished:
        ...     _ = unfinished.write_text("all of it")
        >>> [p.name for p in folder.iterdir()]
        ['note.txt']
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists already; remove it or choose another name")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"The folder {target.parent} does not exist; make it first")
    unfinished = target.with_name(f".{target.stem}{UNFINISHED}{uuid.uuid4().hex[:12]}{target.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
