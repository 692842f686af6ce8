"""A set of images held in memory, what is known of its labels, and the limit on its size."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Factor:
    """A factor of variation whose value is known for every image.

    Attributes:
        name: Such as "scale".
        size: How many values it has, integers from 0.
        ordered: Whether larger means more of something, as with a scale; not so with a kind of shape.
    """

    name: str
    size: int
    ordered: bool


MEMORY_LIMIT = 8 * 2**30


@dataclass(frozen=True, eq=False)
class Examples:
    """Images in memory, as read, before any preprocessing.

    Attributes:
        images: `[n, height, width, channels]`; uint8 (0 to 255), bool (binary) or float32 (in [0, 1]).
        labels: `[n]` int32; `[n, k]` where k factors of each image are known; or None if the source has none.
        name: What the images are called in error messages.
        factors: What is known of each column of labels `[n, k]`; empty where nothing is.
    """

    images: np.ndarray
    labels: np.ndarray | None
    name: str
    factors: tuple[Factor, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels


def check_memory(nbytes: int, name: str) -> None:
    """Refuse a set that is too large to hold in memory.

    Raises:
        ValueError: If `nbytes` is above `MEMORY_LIMIT`.
    """
    if nbytes > MEMORY_LIMIT:
        raise ValueError(
            f"{name} needs at least {nbytes / 2**30:.1f} GiB, and sets are held in memory, at most "
            f"{MEMORY_LIMIT / 2**30:.0f} GiB. Take a part of it (TFDS: split='train[:10%]') or smaller images"
        )
