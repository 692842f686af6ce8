"""Whether gradients pass through what a student wrote."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from checks.report import Wrong


def check_gradients(function: Callable, named: dict[str, np.ndarray], wanted: list[np.ndarray]) -> None:
    """Check the gradients of the sum of what a function returns.

    Args:
        function: Takes tensors by position.
        named: Their values, by the names to use in a hint.
        wanted: The right gradient by each.

    Raises:
        Wrong: If one is missing or wrong.
    """
    inputs = [tf.constant(value) for value in named.values()]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(tf.convert_to_tensor(function(*inputs)))
    slopes = tape.gradient(total, inputs)
    if lost := [name for name, slope in zip(named, slopes, strict=True) if slope is None]:
        raise Wrong(
            f"no gradient reaches {' and '.join(lost)}: nothing that lies before could learn. Use TensorFlow's "
            "operations, not NumPy, and draw or stop nothing on the way"
        )
    for name, slope, right in zip(named, slopes, wanted, strict=True):
        if not np.allclose(slope, right, rtol=1e-3, atol=1e-4):
            raise Wrong(f"the values are right, but the gradient by {name} is not: something stops a part of it")
