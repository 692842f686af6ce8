"""Reading the estimator that a user names."""

from typing import Any

import keras

from keras_vae.estimators.base import Estimator
from keras_vae.estimators.leave_one_out import LeaveOneOut
from keras_vae.estimators.nvil import NVIL
from keras_vae.estimators.path import DoublyReparametrised, StickingTheLanding
from keras_vae.estimators.reparametrised import Reparametrised
from keras_vae.names import lookup

ESTIMATORS: dict[str, type[Estimator]] = {
    "reparametrised": Reparametrised,
    "sticking_the_landing": StickingTheLanding,
    "doubly_reparametrised": DoublyReparametrised,
    "nvil": NVIL,
    "leave_one_out": LeaveOneOut,
}


def as_estimator(value: Any, owner: str) -> Estimator:
    """Return the estimator of a name, of a saved config, or itself.

    Raises:
        ValueError: If the name is unknown.
        TypeError: If it is anything else.
    """
    if isinstance(value, str):
        return lookup(value, ESTIMATORS, f"estimator of {owner}")()
    if isinstance(value, dict):
        value = keras.saving.deserialize_keras_object(value)
    if not isinstance(value, Estimator):
        raise TypeError(
            f"{owner}: estimator must be a name ({', '.join(ESTIMATORS)}) or an Estimator; received {value!r}"
        )
    return value
