"""Inference for a batch of x: samples of the latents, and the densities that make up every bound."""

from keras_vae.inference.densities import Densities, Draws
from keras_vae.inference.groups import LatentGroups
from keras_vae.inference.inference import Inference
from keras_vae.inference.kl import closed_form_kl, kl_per_latent

__all__ = ["Densities", "Draws", "Inference", "LatentGroups", "closed_form_kl", "kl_per_latent"]
