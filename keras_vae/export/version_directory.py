"""Version directories that appear whole or not at all."""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".exporting-"


@contextlib.contextmanager
def whole_version(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a directory to write to; when the block ends well, rename it to `path`.

    The temporary directory lies beside `path` under a name that is no integer, which model servers skip.
    What a killed export on this host left behind is removed first.

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
    _sweep(target.parent)
    unfinished = target.parent / f"{_PREFIX}{version}-{socket.gethostname()}-{os.getpid()}"
    unfinished.mkdir()
    try:
        yield unfinished
        _refuse_existing(target)
        try:
            unfinished.rename(target)
        except OSError:
            _refuse_existing(target)  # another export was faster
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _refuse_existing(target: Path) -> None:
    if target.exists():
        present = [int(p.name) for p in target.parent.iterdir() if p.name.isdecimal()]
        raise FileExistsError(
            f"export: version {target} exists and is never overwritten; the next free one is "
            f"{target.parent / str(max(present) + 1)}"
        )


def _sweep(base: Path) -> None:
    host = socket.gethostname()
    for left in base.glob(f"{_PREFIX}*-{host}-*"):
        pid = left.name.rsplit("-", 1)[1]
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
