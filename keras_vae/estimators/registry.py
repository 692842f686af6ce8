"""Gradient estimators by name."""

from typing import Any

import keras

from keras_vae.estimators.base import Estimator
from keras_vae.estimators.leave_one_out import LeaveOneOut
from keras_vae.estimators.nvil import NVIL
from keras_vae.estimators.reparameterized import DoublyReparameterized, Reparameterized, StickingTheLanding
from keras_vae.utils.arguments import lookup, one_line

ESTIMATORS: dict[str, type[Estimator]] = {
    "reparameterized": Reparameterized,
    "sticking_the_landing": StickingTheLanding,
    "doubly_reparameterized": DoublyReparameterized,
    "nvil": NVIL,
    "leave_one_out": LeaveOneOut,
}


def as_estimator(value: Any, owner: str) -> Estimator:
    """Return an estimator from its name, its config, or the estimator itself.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If `value` is anything else.
    """
    if isinstance(value, str):
        return lookup(value, ESTIMATORS, f"estimator of {owner}")()
    if isinstance(value, dict):
        value = keras.saving.deserialize_keras_object(value)
    if not isinstance(value, Estimator):
        raise TypeError(
            f"{owner}: estimator: expected a name or a keras_vae.estimators.Estimator, received "
            f"{one_line(value)}. Use one of "
            f"{', '.join(map(repr, ESTIMATORS))}."
        )
    return value
