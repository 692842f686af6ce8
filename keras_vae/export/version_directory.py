"""Version directories that appear whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_vae.utils.locks import locked

_PREFIX = ".exporting-"


@contextlib.contextmanager
def whole_version(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a directory to write to; when the block ends well, rename it to `path`.

    The temporary directory lies beside `path` under a name that is no integer, which model servers skip.
    What a killed export left behind is removed first; one that still runs holds a lock.

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
        with locked(target.parent, wait=True):  # so that nobody sweeps the new directory before it is locked
            _sweep(target.parent)
            unfinished = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{version}-", dir=target.parent))
            held.callback(shutil.rmtree, unfinished, ignore_errors=True)
            held.enter_context(locked(unfinished))
        unfinished.chmod(0o777 & ~_umask())  # mkdtemp keeps others out, a model server too
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
        with contextlib.suppress(FileNotFoundError), locked(left) as abandoned:
            if abandoned:
                shutil.rmtree(left, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
