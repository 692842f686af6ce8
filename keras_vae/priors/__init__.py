"""Priors over the latents: one prior a file."""

from keras_vae.priors.base import Prior
from keras_vae.priors.learned import Learned
from keras_vae.priors.standard_normal import StandardNormal
from keras_vae.priors.uniform import Uniform
from keras_vae.priors.vamp import VampPrior

__all__ = ["Learned", "Prior", "StandardNormal", "Uniform", "VampPrior"]
