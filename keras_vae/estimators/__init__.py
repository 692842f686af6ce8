"""Estimators of a bound's gradient."""

from keras_vae.estimators.base import Aggregate, Estimate, Estimator, LogWeight, with_gradient_of
from keras_vae.estimators.leave_one_out import LeaveOneOut
from keras_vae.estimators.nvil import NVIL
from keras_vae.estimators.registry import as_estimator
from keras_vae.estimators.reparameterized import DoublyReparameterized, Reparameterized, StickingTheLanding
from keras_vae.utils.deprecation import renamed_names
from keras_vae.utils.lazy_imports import public_names

__all__ = [
    "NVIL",
    "Aggregate",
    "DoublyReparameterized",
    "Estimate",
    "Estimator",
    "LeaveOneOut",
    "LogWeight",
    "Reparameterized",
    "StickingTheLanding",
    "as_estimator",
    "with_gradient_of",
]

__getattr__ = renamed_names(
    __name__, {"Reparametrised": "Reparameterized", "DoublyReparametrised": "DoublyReparameterized"}, globals()
)
__dir__ = public_names(__all__, globals())
