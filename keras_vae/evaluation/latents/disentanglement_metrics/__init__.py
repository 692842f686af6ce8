"""Metrics of disentanglement: functions of codes `[n, latents]` and known factors `[n, k]`.

Each returns one number, 1 at best, except DCI, which returns three. None needs a simulator: where a paper fixes a
factor and draws new images, these draw groups of the given rows that share a value of it (see `classifiers.Groups`).
"""

from keras_vae.evaluation.latents.disentanglement_metrics.classifiers import beta_vae, factor_vae
from keras_vae.evaluation.latents.disentanglement_metrics.information import mig, modularity, mutual_information
from keras_vae.evaluation.latents.disentanglement_metrics.predictors import DCI, dci, sap

__all__ = ["DCI", "beta_vae", "dci", "factor_vae", "mig", "modularity", "mutual_information", "sap"]
