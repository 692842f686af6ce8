"""Which of a model's versions are to be served."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tensorflow_serving.config import file_system_storage_path_source_pb2 as storage_pb2


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
        """Yields versions in the order in which they are to be tried.

        Args:
            present: The versions on disk.

        Yields:
            Versions, the newest first. Of the latest, more than are wanted: the caller stops when enough are
            available, so that a broken one is stood in for by the one before it.
        """
        for version in sorted(present, reverse=True):
            if self.versions is None or version in self.versions:
                yield version

    def is_enough(self, available: int) -> bool:
        """Tells whether so many versions are all that is wanted."""
        return self.latest is not None and available >= self.latest


def read_policy(message: storage_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy) -> Policy:
    """Reads a `ServableVersionPolicy`; an empty one means the latest version."""
    choice = message.WhichOneof("policy_choice")
    if choice == "all":
        return Policy(latest=None)
    if choice == "specific":
        return Policy(versions=frozenset(message.specific.versions), latest=None)
    return Policy(latest=message.latest.num_versions or 1)
