"""How many steps to take in one call of TensorFlow, where the user has not said."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

_MOST = 32
_BATCH_METHODS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def steps_at_once(callbacks: Any, fixed: Sequence[int | None]) -> int:
    """Return a number of steps from 1 to 32: as many as can be without anyone's noticing.

    One, if a callback that is not Keras's or this package's looks at batches. Else a divisor of all numbers of steps
    that are fixed: Keras goes on to the next multiple, which would take batches of the next epoch.

    Args:
        callbacks: As `fit` takes them.
        fixed: Numbers of steps; None for one that matters and is not known.
    """
    numbers = [number for number in fixed if number is not None]
    unknown = len(numbers) < len(fixed)
    if unknown or any(_watches_batches(callback) for callback in _each(callbacks)):
        return 1
    return next(count for count in range(_MOST, 0, -1) if all(number % count == 0 for number in numbers))


def fixed_steps(steps: int | None, data: Any, strategy: tf.distribute.Strategy) -> list[int | None]:
    """Return the number of steps of an epoch, if it is fixed, or has to be because there are several replicas.

    Args:
        steps: As the user gave it.
        data: What is trained or evaluated on; None for nothing.
        strategy: The model's.
    """
    if steps is not None:
        return [steps]
    if strategy.num_replicas_in_sync == 1 or data is None:
        return []  # the steps end with the data
    length = int(data.cardinality()) if isinstance(data, tf.data.Dataset) else -1
    return [length if length > 0 else None]


def _each(callbacks: Any) -> Iterable[keras.callbacks.Callback]:
    if callbacks is None:
        return []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return callbacks if isinstance(callbacks, list | tuple) else [callbacks]


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
    kind = type(callback)
    if kind.__module__.startswith(("keras.", "keras_vae.")) and kind is not keras.callbacks.LambdaCallback:
        return False
    if kind is keras.callbacks.LambdaCallback:
        return any(name in vars(callback) for name in _BATCH_METHODS)
    return any(getattr(kind, name) is not getattr(keras.callbacks.Callback, name) for name in _BATCH_METHODS)
