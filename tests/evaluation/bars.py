"""Small images of two classes: horizontal and vertical bars."""

import numpy as np


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return binary images, `[count, 8, 8, 1]`, and their classes."""
    rng = np.random.default_rng(seed)
    images, labels = np.zeros([count, 8, 8, 1], np.float32), rng.integers(2, size=count)
    for image, label in zip(images, labels, strict=True):
        lines = image if label else image.transpose(1, 0, 2)
        lines[:, rng.choice(8, 2, replace=False)] = 1
    return images, labels
