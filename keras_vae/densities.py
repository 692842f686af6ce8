"""The precision of densities."""

import keras


def density_dtype() -> str:
    """Return float64 where the policy keeps variables in float64, and float32 under every other policy."""
    return "float64" if keras.config.dtype_policy().variable_dtype == "float64" else "float32"
