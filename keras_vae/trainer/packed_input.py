"""Sending bytes to the device instead of numbers, where it is known beforehand that the numbers will be right."""

from typing import Any

import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.data.unopened import unopened
from keras_vae.families.base import Family
from keras_vae.families.support import ONE_HOT


def as_bytes(data: Any, family: Family, condition: Condition | None) -> tf.data.Dataset | None:
    """Return the packed batches of a dataset of `data.load`, whose x is made inside the step.

    None for any other dataset, and where it is not known that all x lie in the likelihood's support, and all y in the
    condition's: then the values must be checked as they flow.
    """
    known = unopened(data)
    if known is None or known.values is None or family.support is ONE_HOT:
        return None
    x_spec = data.element_spec[0] if isinstance(data.element_spec, tuple) else data.element_spec
    if tuple(x_spec.shape[1:]) != family.event_shape:
        return None
    with tf.device("CPU:0"):
        x_right = bool(tf.reduce_all(family.support.contains(tf.constant(known.values, family.variable_dtype))))
        if condition is None:
            y_right = True
        elif known.labels is None or condition.shape != () or tuple(data.element_spec[1].shape[1:]) != ():
            y_right = False
        else:
            y_right = bool(tf.reduce_all(condition.support.contains(tf.constant(known.labels))))
    return known.dataset if x_right and y_right else None
