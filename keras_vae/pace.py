"""How many steps to take in one call of TensorFlow, where the user has not said."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras

_MOST = 32
_BATCH_METHODS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def steps_at_once(callbacks: Any, fixed: Sequence[int | None]) -> int:
    """Return a number of steps from 1 to 32: as many as can be without anyone's noticing.

    One, if a callback that is not Keras's or this package's looks at batches. Else a divisor of all numbers of steps
    that are fixed: Keras goes on to the next multiple, which would take batches of the next epoch.

    Args:
        callbacks: As `fit` takes them.
        fixed: `steps_per_epoch` and `validation_steps`, where they are given.
    """
    if any(_watches_batches(callback) for callback in _each(callbacks)):
        return 1
    numbers = [number for number in fixed if number is not None]
    return next(count for count in range(_MOST, 0, -1) if all(number % count == 0 for number in numbers))


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
