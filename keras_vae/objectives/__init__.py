"""Objectives: bounds on log p(x), one per file."""

from keras_vae.inference.kl import closed_form_kl, kl_per_latent
from keras_vae.objectives.base import Objective
from keras_vae.objectives.beta_tc import BetaTC
from keras_vae.objectives.elbo import ELBO
from keras_vae.objectives.info_vae import InfoVAE
from keras_vae.objectives.iwae import IWAE

__all__ = ["ELBO", "IWAE", "BetaTC", "InfoVAE", "Objective", "closed_form_kl", "kl_per_latent"]
