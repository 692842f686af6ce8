"""`tf.function` for functions that are made once per model."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf


def compiled(function: Callable[..., Any], **kwargs: Any) -> Any:
    """Return `tf.function(function, reduce_retracing=True)`, whose traces are counted for itself alone.

    TensorFlow counts traces by code. A function that is defined for each model, and traced once for each, looks
    like one that is traced again and again, and a program with five models would get a warning. A partial has no code.

    Args:
        function: A function, or a method.
        **kwargs: Other arguments of `tf.function`.

    Example:
        >>> int(compiled(lambda x: x + 1)(tf.constant(1)))
        2
    """
    return tf.function(functools.partial(function), reduce_retracing=True, **kwargs)
