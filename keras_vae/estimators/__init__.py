"""Estimators of a bound's gradient: one a file."""

from keras_vae.estimators.base import Aggregate, Estimator, Integrand, with_gradient_of
from keras_vae.estimators.leave_one_out import LeaveOneOut
from keras_vae.estimators.nvil import NVIL
from keras_vae.estimators.path import DoublyReparametrised, StickingTheLanding
from keras_vae.estimators.reading import as_estimator
from keras_vae.estimators.reparametrised import Reparametrised

__all__ = [
    "NVIL",
    "Aggregate",
    "DoublyReparametrised",
    "Estimator",
    "Integrand",
    "LeaveOneOut",
    "Reparametrised",
    "StickingTheLanding",
    "as_estimator",
    "with_gradient_of",
]
