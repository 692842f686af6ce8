"""Disentanglement by mutual information of latents and factors: MIG and modularity."""

from typing import Any

import numpy as np

from keras_vae.evaluation.latents.disentanglement_metrics.inputs import checked, numbered

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
        ValueError: If the codes or the factors have another shape or kind.

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


def mig(codes: Any, factors: Any) -> float:
    """Return the mutual information gap: how much more one latent knows about a factor than any other.

    The mean over factors of (I(z_a; v) − I(z_b; v)) / H(v), a and b the two latents that tell most of v: Chen et al.,
    "Isolating sources of disentanglement in variational autoencoders" (2018), equation 6. The information is that of
    codes cut into 20 bins (see `mutual_information`); the paper's integrates over q(z|x) instead, so these figures
    compare with those of Locatello et al. (2019). It does not fall where one latent holds several factors.

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: If the codes or the factors have another shape or kind.

    Example:
        >>> factors = np.indices([3, 4]).reshape(2, -1).T
        >>> round(mig(factors * [2.0, -0.1], factors), 6), round(mig(factors[:, [0, 0]], factors), 6)
        (1.0, 0.0)
    """
    codes, factors = checked(codes, factors, "mig")
    shares = np.sort(of_counts(binned(codes), factors) / entropies(factors), axis=0)
    return float(np.mean(shares[-1] - shares[-2]))


def modularity(codes: Any, factors: Any) -> float:
    """Return modularity: how little each latent knows about factors other than its main one.

    The mean over latents of 1 − Σ_f (m_f − t_f)² / (θ² (k − 1)), where m_f = I(z; v_f), θ is the largest of them, and
    t_f is θ at its place and 0 elsewhere: Ridgeway & Mozer, "Learning deep disentangled embeddings with the
    F-statistic loss" (2018), where it is defined next to explicitness. A latent that never varies counts as 0. All
    latents count the same, even those that know almost nothing: for pure noise the bias of the counts is largest for
    the factor with most values, and modularity is then 0 only where all have as many.

    Args:
        codes: `[n, latents]`.
        factors: `[n, k]` integers.

    Returns:
        From 0 to 1.

    Raises:
        ValueError: If the codes or the factors have another shape or kind.

    Example:
        >>> factors = np.indices([3, 4]).reshape(2, -1).T
        >>> round(modularity(factors[:, [0, 1, 1]], factors), 6)
        1.0
    """
    codes, factors = checked(codes, factors, "modularity")
    return of_information(of_counts(binned(codes), factors))


def of_information(information: np.ndarray) -> float:
    """Return modularity of mutual information, `[latents, k]`.

    Example:
        >>> of_information(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]))
        0.75
    """
    squares = information**2
    largest = squares.max(axis=1)
    others = squares.sum(axis=1) - largest
    found = 1 - others / (np.where(largest > 0, largest, 1.0) * (squares.shape[1] - 1))
    return float(np.mean(np.where(largest > 0, found, 0.0)))
