"""Priors over the latents: one prior a file."""

from keras_vae.priors.base import Prior
from keras_vae.priors.standard_normal import StandardNormal

__all__ = ["Prior", "StandardNormal"]
