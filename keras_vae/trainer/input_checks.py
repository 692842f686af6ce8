"""The gate: all data that enters a model passes one of these functions, which check it or refuse it in one line."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.families.base import Family
from keras_vae.trainer.array_checks import checked_arrays
from keras_vae.trainer.batch_checks import (
    GuardedPyDataset,
    guarded_batches,
    guarded_dataset,
    guarded_loader,
    is_loader,
)
from keras_vae.trainer.value_checks import clear_errors as clear_errors
from keras_vae.trainer.value_checks import refuse


def guarded_pair(x: Any, y: Any, family: Family, condition: Condition | None) -> tuple[Any, Any]:
    """Return x, or batches, and y, checked as in `guarded`."""
    return guarded(x, y, None, family, condition)[:2]


def guarded(
    x: Any, y: Any, weight: Any, family: Family, condition: Condition | None, how: str = "fit(x, y)"
) -> tuple[Any, Any, Any]:
    """Return the data of `fit`, with every value checked against the likelihood's event shape and support.

    Arrays, and anything that NumPy can read as one, are checked immediately. Datasets, `keras.utils.PyDataset`s,
    generators and loaders are checked batch by batch as they flow, so that a bad value late in an epoch is found too.
    A distributed dataset is not checked.

    Args:
        x: An array `[n, *event]`, or batches of x, (x, y) or (x, y, sample_weight).
        y: The condition of a conditional model, `[n, ...]`; otherwise ignored, but for its number of rows.
        weight: `[n]`, or None.
        family: The likelihood's family.
        condition: The condition that y belongs to.
        how: How to pass y, for the message.

    Returns:
        x, y and weight; arrays as NumPy arrays or tensors.

    Raises:
        ValueError: If there are no examples, something has another shape or dtype, or values are outside the support
            (raised for batches as they flow; see `clear_errors`).
    """
    flow = _flow(x)
    if flow is None:
        return checked_arrays(x, y, weight, family, condition, how)
    for name, separate in (("y", y), ("sample_weight", weight)):
        if separate is not None:
            kind = type(x).__name__
            raise refuse(
                f"{name}: expected None with a {kind}, which brings its own, received one. Put it in the batches."
            )
    return flow(x, family, condition), None, None


def guarded_validation(data: Any, family: Family, condition: Condition | None) -> Any:
    """Return `validation_data`, checked as in `guarded`: x, (x, y), (x, y, sample_weight), or batches."""
    parts = tuple(data) if isinstance(data, tuple | list) else (data,)
    if not 1 <= len(parts) <= 3:
        raise refuse(
            f"validation_data: expected (x,), (x, y) or (x, y, sample_weight), received {len(parts)} parts. Use "
            "numpy.stack for a list of examples."
        )
    x, y, weight = (*parts, None, None)[:3]
    x, y, weight = guarded(x, y, weight, family, condition, "validation_data=(x, y)")
    if weight is not None and y is None:
        y = x  # Keras drops sample weights without a y
    return x if y is None else (x, y) if weight is None else (x, y, weight)


def guarded_inputs(inputs: Any, family: Family, condition: Condition | None) -> Any:
    """Return the input of `predict`, checked as in `guarded`: x, or (x, y) for a conditional model, or batches."""
    how = "predict((x, y))"
    if condition is not None and isinstance(inputs, tuple | list) and len(inputs) == 2:
        return guarded(inputs[0], inputs[1], None, family, condition, how)[:2]
    return guarded(inputs, None, None, family, condition, how)[0]


def guarded_batch(
    x: Any, y: Any, weight: Any, family: Family, condition: Condition | None, how: str
) -> tuple[Any, Any, Any]:
    """Return one batch of arrays, checked as in `guarded`; for `train_on_batch` and the like."""
    if _flow(x) is not None:
        raise refuse(f"x: expected one array, received a {type(x).__name__}. Use fit, evaluate or predict.")
    return checked_arrays(x, y, weight, family, condition, how)


_Flow = Callable[[Any, Family, Condition | None], Any]


def _flow(x: Any) -> _Flow | None:
    """Return the function that guards x as batches, or None if x must be one array."""
    if isinstance(x, tf.data.Dataset):
        return guarded_dataset
    if isinstance(x, keras.utils.PyDataset):
        return GuardedPyDataset
    if inspect.isgenerator(x):
        return guarded_batches
    if is_loader(x):
        return guarded_loader
    if isinstance(x, tf.distribute.DistributedDataset):
        return lambda data, family, condition: data
    return None
