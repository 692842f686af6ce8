"""Finds a model's versions on disk: directories named by integers, as TensorFlow Serving lays them out."""

import re
from pathlib import Path

_VERSION_NAME = re.compile(r"[0-9]+")
_MAX_VERSION = 2**63 - 1


def find_versions(base_path: Path) -> dict[int, Path]:
    """Lists the versions under a base path.

    Args:
        base_path: The directory that holds one directory a version.

    Returns:
        From version number to its directory; children whose names are not integers are left out.

    Raises:
        OSError: If the base path is no readable directory.
    """
    return {
        int(child.name): child
        for child in base_path.iterdir()
        if _VERSION_NAME.fullmatch(child.name) and int(child.name) <= _MAX_VERSION and child.is_dir()
    }


def fingerprint(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Tells a directory's contents from what they were before.

    Args:
        directory: The directory to look at.

    Returns:
        The path, size and time of change of everything in it; different if anything was written.
    """
    entries = []
    for path in sorted(directory.rglob("*")):
        status = path.stat()
        entries.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(entries)
