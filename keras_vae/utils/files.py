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

    The temporary name keeps the suffix, by which writers choose their format. The content is on the disk before
    the new name is, so a power cut leaves the old file or the new one.

    Raises:
        FileExistsError: If `path` exists and `overwrite` is false.
        FileNotFoundError: If the folder does not exist.
        OSError: If the disk refuses the file; what stood at `path` is left as it was.

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
        _flush(unfinished)
        os.replace(unfinished, target)
        _flush(target.parent)
    except Exception as error:
        refusal = _refusal_behind(error)
        if refusal is None:
            raise
        raise OSError(
            refusal.errno,
            f"{refusal.strerror}: {target} was not written, and an earlier one is left as it was. See to the disk's "
            "free space and to the rights in that folder, then give the same command again",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # which would hide the error above
            unfinished.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        OSError: If that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        file = next((place for place in (path, *path.parents) if place.exists() and not place.is_dir()), None)
        reason = f"{file} is a file" if file else error.strerror
        raise OSError(
            error.errno, f"{reason}: the folder {path} cannot be made; choose another one or mend that"
        ) from error


def sweep(folder: Path) -> None:
    """Remove the unfinished files that killed processes left in `folder` and below."""
    for left in folder.rglob(f".*{UNFINISHED}*"):
        left.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refusal_behind(error: BaseException | None) -> OSError | None:
    """Return what the operating system said, which a writer's own error may hide."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error
        error = error.__cause__ or error.__context__
    return None
