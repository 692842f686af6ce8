"""The mutual information of each latent with each factor, from counts."""

from typing import Any

import numpy as np

from keras_vae.evaluation.disentanglement_metrics.inputs import checked, numbered

BINS = 20


def mutual_information(codes: Any, factors: Any) -> np.ndarray:
    """Return I(z_j; v_k) in nats, `[latents, k]`, of codes cut into 20 bins.

    Each latent's range is divided into 20 bins of equal width, as Locatello et al. (2019) do for all metrics that need
    it; the information is that of the bins, so it is less than the code's, and an outlier coarsens the bins of all
    other values. Counts of n rows overestimate it: where there is none they give about (20 − 1)(values − 1) / 2n.

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.

    Raises:
        ValueError: If the codes or the factors are not as wanted.

    Example:
        >>> factors = np.indices([2, 2]).reshape(2, -1).T
        >>> mutual_information(factors * [1.5, -1.0], factors).round(3)
        array([[0.693, 0.   ],
               [0.   , 0.693]])
    """
    codes, factors = checked(codes, factors, "mutual_information")
    return of_counts(binned(codes), factors)


def of_counts(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the mutual information in nats, `[a, b]`, of integers `[n, a]` with integers `[n, b]`."""
    (left, left_sizes), (right, right_sizes) = numbered(left), numbered(right)
    found = np.zeros([left.shape[1], right.shape[1]])
    for i, a in enumerate(left_sizes):
        for j, b in enumerate(right_sizes):
            joint = np.bincount(left[:, i] * b + right[:, j], minlength=a * b).reshape(a, b) / len(left)
            apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
            there = joint > 0
            found[i, j] = np.sum(joint[there] * np.log(joint[there] / apart[there]))
    return np.maximum(found, 0.0)


def entropies(factors: np.ndarray) -> np.ndarray:
    """Return the entropy of each factor in nats, `[k]`, of integers `[n, k]`."""
    shares = [np.unique(column, return_counts=True)[1] / len(factors) for column in factors.T]
    return np.array([-np.sum(share * np.log(share)) for share in shares])


def binned(codes: np.ndarray) -> np.ndarray:
    """Return the bin of each code, 0 to 19, `[n, latents]`; of a latent that never varies, 0."""
    low, width = codes.min(axis=0), np.ptp(codes, axis=0)
    place = (codes - low) / np.where(width > 0, width, 1.0)
    return np.minimum((BINS * place).astype(np.int64), BINS - 1)
