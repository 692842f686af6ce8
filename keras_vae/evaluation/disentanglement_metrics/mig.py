"""The mutual information gap."""

from typing import Any

import numpy as np

from keras_vae.evaluation.disentanglement_metrics.inputs import checked
from keras_vae.evaluation.disentanglement_metrics.mutual_information import binned, entropies, of_counts


def mig(codes: Any, factors: Any) -> float:
    """Return the mutual information gap: how much more one latent tells of a factor than any other latent does.

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
        ValueError: If the codes or the factors are not as wanted.

    Example:
        >>> factors = np.indices([3, 4]).reshape(2, -1).T
        >>> round(mig(factors * [2.0, -0.1], factors), 6), round(mig(factors[:, [0, 0]], factors), 6)
        (1.0, 0.0)
    """
    codes, factors = checked(codes, factors, "mig")
    shares = np.sort(of_counts(binned(codes), factors) / entropies(factors), axis=0)
    return float(np.mean(shares[-1] - shares[-2]))
