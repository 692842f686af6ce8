"""Version directories that appear complete or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = ".exporting-"
# On the base path, held while an export begins.
_BASE_LOCK = ".exporting.lock"


@contextlib.contextmanager
def whole_version(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a directory to write to, and rename it to `path` if the block succeeds.

    The temporary directory lies next to `path` under a name that is not an integer, which model servers skip.
    Remains of killed exports are removed first; an export in progress holds a lock.

    Args:
        path: `<model's base path>/<version>`, the version a positive integer.

    Raises:
        ValueError: If the last part of `path` is not a version.
        FileExistsError: If the version exists.
    """
    target = Path(path)
    version = target.name
    if not version.isdecimal() or str(int(version)) != version or int(version) < 1:
        raise ValueError(
            f"export: the path must end in a version, a positive integer, as in {target / '1'}; received {target}"
        )
    _refuse_existing(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        # So that no other export removes the new directory before it is locked.
        with _locked(target.parent / _BASE_LOCK):
            _sweep(target.parent)
            unfinished = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{version}-", dir=target.parent))
            held.callback(shutil.rmtree, unfinished, ignore_errors=True)
            held.enter_context(_locked(_lock_path(unfinished)))
        unfinished.chmod(0o777 & ~_umask())  # mkdtemp's mode would keep a model server out
        yield unfinished
        _refuse_existing(target)
        try:
            unfinished.rename(target)
        except OSError:
            _refuse_existing(target)  # another export was faster
            raise


def _refuse_existing(target: Path) -> None:
    if target.exists():
        present = [int(p.name) for p in target.parent.iterdir() if p.name.isdecimal()]
        raise FileExistsError(
            f"export: version {target} exists and is never overwritten; the next free one is "
            f"{target.parent / str(max(present) + 1)}"
        )


def _sweep(base: Path) -> None:
    for left in base.glob(f"{_PREFIX}*"):
        if not left.is_dir():
            continue
        with contextlib.suppress(Timeout), _locked(_lock_path(left), blocking=False):
            shutil.rmtree(left, ignore_errors=True)


def _lock_path(unfinished: Path) -> Path:
    # Beside the directory, which is renamed with all that it holds.
    return unfinished.with_name(f"{unfinished.name}.lock")


@contextlib.contextmanager
def _locked(path: Path, blocking: bool = True) -> Iterator[None]:
    """Hold a lock, which ends with the process that holds it, however it ends; then remove its file.

    Raises:
        Timeout: If another process holds it, and this is not blocking.
    """
    with FileLock(path, blocking=blocking, fallback_to_soft=False):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held: whoever waits for it then opens a new file


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
