"""Objectives: bounds on log p(x), one a file."""

from keras_vae.objectives.base import Objective
from keras_vae.objectives.elbo import ELBO

__all__ = ["ELBO", "Objective"]
