"""Looking up the gradient estimator that a user names."""

from typing import Any

import keras

from keras_vae.estimators.base import Estimator
from keras_vae.estimators.leave_one_out import LeaveOneOut
from keras_vae.estimators.nvil import NVIL
from keras_vae.estimators.reparameterized import DoublyReparameterized, Reparameterized, StickingTheLanding
from keras_vae.utils.arguments import lookup

ESTIMATORS: dict[str, type[Estimator]] = {
    "reparameterized": Reparameterized,
    "sticking_the_landing": StickingTheLanding,
    "doubly_reparameterized": DoublyReparameterized,
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
