"""The precision of densities, and the independent elements of a distribution."""

import keras
from tensorflow_probability import distributions as tfd


def density_dtype() -> str:
    """Return float64 where the policy keeps variables in float64, and float32 under every other policy."""
    return "float64" if keras.config.dtype_policy().variable_dtype == "float64" else "float32"


def factors(distribution: tfd.Distribution) -> tfd.Distribution | None:
    """Return the distribution of the independent elements, or None if it does not factorize.

    TFP's `Independent` has two classes, one of them for composite tensors. They share only this attribute.
    """
    return distribution.distribution if hasattr(distribution, "reinterpreted_batch_ndims") else None
