"""The maximum mean discrepancy between two sets of features."""

import math

import numpy as np

from keras_vae.checks import positive_integer


def kernel_distance(a: np.ndarray, b: np.ndarray, *, blocks: int = 10, seed: int = 0) -> tuple[float, float]:
    """Estimate MMD² with the kernel (xᵀy/D + 1)³ without bias (Bińkowski et al. 2018, section 4).

    Both sets are cut into blocks at random. The estimate is the mean over pairs of blocks, each without bias
    (Gretton et al. 2012, equation 3), and its standard error their spread over √blocks. Where the sets are of one
    distribution it lies about 0, below as often as above.

    Args:
        a: `[n, D]`.
        b: `[m, D]`.
        blocks: How many.
        seed: Of the cut.

    Returns:
        The estimate and its standard error, NaN for one block.

    Raises:
        ValueError: If a set has fewer than two examples a block, or the columns are not as many.

    Example:
        >>> x = np.random.default_rng(0).normal(size=[1000, 4])
        >>> value, error = kernel_distance(x[:500], x[500:])
        >>> abs(value) < 3 * error
        True
    """
    blocks = positive_integer(blocks, "kernel_distance: blocks")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2 * blocks:
        raise ValueError(
            f"kernel_distance: wanted two sets [n, features], n at least {2 * blocks} for {blocks} blocks; received "
            f"shapes {a.shape} and {b.shape}"
        )
    generator = np.random.default_rng(seed)
    parts = [np.array_split(features[generator.permutation(len(features))], blocks) for features in (a, b)]
    found = [unbiased_mmd(*pair) for pair in zip(*parts, strict=True)]
    error = np.std(found, ddof=1) / math.sqrt(blocks) if blocks > 1 else math.nan
    return float(np.mean(found)), float(error)


def unbiased_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Return the unbiased estimate of MMD² from a `[n, D]` and b `[m, D]`, which may be below 0.

    Example:
        >>> a, b = np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]])
        >>> unbiased_mmd(a, b)  # 1 + 2³ − 2
        7.0
    """
    return _mean_of_others(_kernel(a, a)) + _mean_of_others(_kernel(b, b)) - 2 * float(_kernel(a, b).mean())


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    base = a @ b.T / a.shape[1] + 1
    return base * base * base  # far faster than a power


def _mean_of_others(kernel: np.ndarray) -> float:
    """Return the mean over pairs of different examples."""
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
