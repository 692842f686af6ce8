"""Training on packed batches: pixels are sent to the device as bytes and converted to x inside the compiled step."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.data.packed_dataset import PackedBatch, PackedDataset
from keras_vae.families.base import Family


def packed_batches(data: Any, family: Family, condition: Condition | None) -> tf.data.Dataset | None:
    """Return the packed batches of a `PackedDataset` if their values need no check, and otherwise None.

    They need one unless every possible x is known to be in the likelihood's support and every y in the condition's.
    """
    if not isinstance(data, PackedDataset) or data.values is None or not family.support.elementwise:
        return None
    x_spec = data.element_spec[0] if isinstance(data.element_spec, tuple) else data.element_spec
    if tuple(x_spec.shape[1:]) != family.event_shape:
        return None
    with tf.device("CPU:0"):
        x_right = bool(tf.reduce_all(family.support.contains(tf.constant(data.values, family.variable_dtype))))
        if condition is None:
            y_right = True
        elif data.labels is None or condition.shape != () or tuple(data.element_spec[1].shape[1:]) != ():
            y_right = False
        else:
            y_right = bool(tf.reduce_all(condition.support.contains(tf.constant(data.labels))))
    return data.packed if x_right and y_right else None


def unpacks_first(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Wrap `train_step` or `test_step` so that it always receives x or (x, y): packed batches are unpacked first.

    The returned function is compiled, so batches are unpacked on the device, and a user's own `train_step` never sees
    packed batches.
    """
    return lambda data: step(data.unpack() if isinstance(data, PackedBatch) else data)
