"""Metrics of disentanglement, functions of codes `[n, latents]` and known factors `[n, k]`: one a file.

All but DCI, which gives three, return one number, 1 at best. None needs a simulator: where a paper fixes a factor and
draws images anew, groups of the given rows that have a value of it in common are drawn instead (see `groups`).
"""

from keras_vae.evaluation.latents.disentanglement_metrics.classifiers import beta_vae, factor_vae
from keras_vae.evaluation.latents.disentanglement_metrics.information import mig, modularity, mutual_information
from keras_vae.evaluation.latents.disentanglement_metrics.predictors import DCI, dci, sap

__all__ = ["DCI", "beta_vae", "dci", "factor_vae", "mig", "modularity", "mutual_information", "sap"]
