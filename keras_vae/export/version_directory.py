"""Atomic version directories: they appear complete or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from keras_vae.utils.files import version_path

_PREFIX = ".exporting-"
# In the base path; locked while an export starts.
_BASE_LOCK = ".exporting.lock"


@contextlib.contextmanager
def whole_version(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a directory to write to, and rename it to `path` if the block succeeds.

    The temporary directory is next to `path` and has a non-integer name, which model servers ignore. Leftovers of
    killed exports are removed first; an export in progress holds a lock.

    Args:
        path: `<base path>/<version>`, with a positive integer as the version.

    Raises:
        ValueError: If the last part of `path` is not a version.
        FileExistsError: If the version exists.
    """
    target = version_path(path)
    version = target.name
    _refuse_existing(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        # Otherwise another export could remove the new directory before it is locked.
        with _locked(target.parent / _BASE_LOCK):
            _sweep(target.parent)
            unfinished = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{version}-", dir=target.parent))
            held.callback(shutil.rmtree, unfinished, ignore_errors=True)
            held.enter_context(_locked(_lock_path(unfinished)))
        unfinished.chmod(0o777 & ~_umask())  # mkdtemp's mode would deny access to model servers
        yield unfinished
        _refuse_existing(target)
        try:
            unfinished.rename(target)
        except OSError:
            _refuse_existing(target)  # created by another export
            raise


def _refuse_existing(target: Path) -> None:
    if target.exists():
        present = [int(p.name) for p in target.parent.iterdir() if p.name.isdecimal()]
        raise FileExistsError(
            f"export: path: expected a new version, received {target}, which exists and is never overwritten. Use "
            f"{target.parent / str(max(present) + 1)}."
        )


def _sweep(base: Path) -> None:
    for left in base.glob(f"{_PREFIX}*"):
        if not left.is_dir():
            continue
        with contextlib.suppress(Timeout), _locked(_lock_path(left), blocking=False):
            shutil.rmtree(left, ignore_errors=True)


def _lock_path(unfinished: Path) -> Path:
    # Outside the directory, because the directory is renamed with its contents.
    return unfinished.with_name(f"{unfinished.name}.lock")


@contextlib.contextmanager
def _locked(path: Path, blocking: bool = True) -> Iterator[None]:
    """Hold a lock, then remove its file. The lock is released when the process ends, for any reason.

    Raises:
        Timeout: If another process holds the lock and `blocking` is false.
    """
    with FileLock(path, blocking=blocking, fallback_to_soft=False):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while the lock is held; waiting processes then open a new file


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
