"""A set of images, or a table, in memory, what is known about its labels, and the limit on its size."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Factor:
    """A factor of variation, known for every image.

    Attributes:
        name: Such as "scale".
        size: The number of its values, integers from 0.
        ordered: Whether larger means more of something: true for a scale, false for a kind of shape.
    """

    name: str
    size: int
    ordered: bool


@dataclass(frozen=True)
class Column:
    """A column of a table, and where its values are in x.

    Attributes:
        name: The column's name in the table.
        kind: "real", "count" (integers from 0), "binary" (false and true as 0 and 1) or "category" (one-hot).
        start: The first of its places in x, `[n, width]`.
        vocabulary: The categories, in the order of their places in x; empty for the other kinds.
    """

    name: str
    kind: str
    start: int
    vocabulary: tuple[Any, ...] = ()

    @property
    def stop(self) -> int:
        """The place after its last one."""
        return self.start + (len(self.vocabulary) if self.kind == "category" else 1)


class UnknownSplitError(ValueError):
    """Raised for a split that the data does not have."""


MEMORY_LIMIT = 8 * 2**30


@dataclass(frozen=True, eq=False)
class Examples:
    """Images, or a table, in memory, as read, before any preprocessing.

    Attributes:
        images: `[n, height, width, channels]`; uint8 (0 to 255), bool (binary) or float32 (in [0, 1]). For a table,
            `[n, width]`, finite numbers in float32, or in float64 under that dtype policy.
        labels: `[n]` int32; `[n, k]` where k factors of each image are known; or None if the source has none.
        name: The images' name in error messages.
        factors: What is known about each column of labels `[n, k]`; empty if nothing is.
        columns: The columns of a table, in the order of their places; empty for images.
    """

    images: np.ndarray
    labels: np.ndarray | None
    name: str
    factors: tuple[Factor, ...] = ()
    columns: tuple[Column, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels


def check_memory(nbytes: int, name: str) -> None:
    """Reject a set that is too large to hold in memory.

    Raises:
        ValueError: If `nbytes` is above `MEMORY_LIMIT`.
    """
    if nbytes > MEMORY_LIMIT:
        raise ValueError(
            f"{name}: expected at most {MEMORY_LIMIT / 2**30:.0f} GiB, which are held in memory, received "
            f"{nbytes / 2**30:.1f} GiB or more. Use a part of it (TFDS: split='train[:10%]') or smaller images."
        )
