"""Metrics of disentanglement, functions of codes `[n, latents]` and known factors `[n, k]`: one a file.

All but DCI, which gives three, return one number, 1 at best. None needs a simulator: where a paper fixes a factor and
draws images anew, groups of the given rows that have a value of it in common are drawn instead (see `groups`).
"""

from keras_vae.evaluation.disentanglement_metrics.beta_vae import beta_vae
from keras_vae.evaluation.disentanglement_metrics.dci import DCI, dci
from keras_vae.evaluation.disentanglement_metrics.factor_vae import factor_vae
from keras_vae.evaluation.disentanglement_metrics.mig import mig
from keras_vae.evaluation.disentanglement_metrics.modularity import modularity
from keras_vae.evaluation.disentanglement_metrics.mutual_information import mutual_information
from keras_vae.evaluation.disentanglement_metrics.sap import sap

__all__ = ["DCI", "beta_vae", "dci", "factor_vae", "mig", "modularity", "mutual_information", "sap"]
