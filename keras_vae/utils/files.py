"""Atomic file writes: a file appears complete or not at all."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

# Part of temporary names, so that leftovers of killed processes can be found.
UNFINISHED = ".unfinished-"


@contextlib.contextmanager
def whole(path: str | os.PathLike[str], overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path next to `path`; if the block succeeds, rename it to `path`.

    The temporary name keeps the suffix, from which writers infer the format. The content is flushed to disk before the
    file is renamed, so a power failure leaves either the old file or the new one.

    Raises:
        FileExistsError: If `path` exists and `overwrite` is false.
        FileNotFoundError: If the folder does not exist.
        OSError: If the file cannot be written; an existing file at `path` is unchanged.

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
        raise FileExistsError(
            f"{target}: expected a new file, received an existing one. Remove it or use another name."
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{target}: expected an existing folder, received {target.parent}. Create the folder first."
        )
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
            f"{refusal.strerror}: {target} was not written, and an earlier version is unchanged. Check the free disk "
            "space and the permissions of the folder, then run the same command again.",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # it would hide the error above
            unfinished.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents.

    Raises:
        OSError: If that is impossible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        file = next((place for place in (path, *path.parents) if place.exists() and not place.is_dir()), None)
        reason = f"{file} is a file" if file else error.strerror
        raise OSError(error.errno, f"{reason}: the folder {path} cannot be created. Use another folder.") from error


def version_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a version that a model server can serve: its last part is a positive integer.

    Raises:
        ValueError: If it is not.

    Example:
        >>> version_path("models/digits/1").name
        '1'
    """
    target = Path(path)
    version = target.name
    if not version.isdecimal() or str(int(version)) != version or int(version) < 1:
        raise ValueError(
            f"export: path: expected a path that ends in a version, a positive integer, received {target}. Use "
            f"{target / '1'}, for example."
        )
    return target


def newest_version(path: str | os.PathLike[str]) -> Path | None:
    """Return the directory of an export: `path` itself, or the newest version under it; None if it is neither."""
    folder = Path(path)
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = [each for each in folder.glob("*") if each.name.isdecimal() and (each / "saved_model.pb").is_file()]
    return max(versions, key=lambda each: int(each.name), default=None)


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
    """Return the operating system's error, which a writer's own error may hide."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error
        error = error.__cause__ or error.__context__
    return None
