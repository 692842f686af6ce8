"""Which versions of a model are on disk, and which of them its policy serves."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tensorflow_serving.config import file_system_storage_path_source_pb2 as storage_pb2

_VERSION_NAME = re.compile(r"[0-9]+")
_MAX_VERSION = 2**63 - 1


def find_versions(base_path: Path) -> dict[int, Path]:
    """Lists the versions under a base path: directories named by integers, as TensorFlow Serving lays them out.

    Args:
        base_path: The directory that holds one directory per version.

    Returns:
        The directory of each version number; children whose names are not integers are left out.

    Raises:
        OSError: If the base path is not a readable directory.
    """
    return {
        int(child.name): child
        for child in base_path.iterdir()
        if _VERSION_NAME.fullmatch(child.name) and int(child.name) <= _MAX_VERSION and child.is_dir()
    }


def fingerprint(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Returns a value that changes whenever a directory's contents do.

    Args:
        directory: The directory to look at.

    Returns:
        The path, size and modification time of everything in it.
    """
    entries = []
    for path in sorted(directory.rglob("*")):
        status = path.stat()
        entries.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(entries)


@dataclass(frozen=True)
class Policy:
    """A model's version policy.

    Attributes:
        versions: The versions to serve; None for all, or for the latest.
        latest: How many of the latest to serve; None for all, or for those in `versions`.
    """

    versions: frozenset[int] | None = None
    latest: int | None = 1

    def candidates(self, present: Collection[int]) -> Iterator[int]:
        """Yields versions in the order in which to try them.

        Args:
            present: The versions on disk.

        Yields:
            Versions, newest first. For a "latest" policy it yields more than are needed: the caller stops once enough
            are available, so that the version before a broken one takes its place.
        """
        for version in sorted(present, reverse=True):
            if self.versions is None or version in self.versions:
                yield version

    def is_enough(self, available: int) -> bool:
        """Returns whether this many available versions satisfy the policy."""
        return self.latest is not None and available >= self.latest


def read_policy(message: storage_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy) -> Policy:
    """Reads a `ServableVersionPolicy`; an empty one means the latest version."""
    choice = message.WhichOneof("policy_choice")
    if choice == "all":
        return Policy(latest=None)
    if choice == "specific":
        return Policy(versions=frozenset(message.specific.versions), latest=None)
    return Policy(latest=message.latest.num_versions or 1)
