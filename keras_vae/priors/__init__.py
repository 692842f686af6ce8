"""Priors over the latents, one per file."""

from keras_vae.priors.autoregressive import Autoregressive
from keras_vae.priors.base import Prior
from keras_vae.priors.chain import Chain
from keras_vae.priors.conditional import ConditionalPrior
from keras_vae.priors.learned import Learned
from keras_vae.priors.masked_autoregressive_flow import MaskedAutoregressiveFlow
from keras_vae.priors.real_nvp import RealNVP
from keras_vae.priors.standard_normal import StandardNormal
from keras_vae.priors.uniform import Uniform
from keras_vae.priors.vamp import VampPrior

__all__ = [
    "Autoregressive",
    "Chain",
    "ConditionalPrior",
    "Learned",
    "MaskedAutoregressiveFlow",
    "Prior",
    "RealNVP",
    "StandardNormal",
    "Uniform",
    "VampPrior",
]
