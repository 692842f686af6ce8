"""Check that gradients flow through the student's code."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from checks.report import Wrong


def check_gradients(function: Callable, named: dict[str, np.ndarray], expected: list[np.ndarray]) -> None:
    """Check the gradients of the sum of a function's outputs.

    Args:
        function: Function of positional tensors.
        named: Values of these tensors, by the name to use in a hint.
        expected: Correct gradient for each of them.

    Raises:
        Wrong: If a gradient is missing or wrong.
    """
    inputs = [tf.constant(value) for value in named.values()]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(tf.convert_to_tensor(function(*inputs)))
    slopes = tape.gradient(total, inputs)
    if lost := [name for name, slope in zip(named, slopes, strict=True) if slope is None]:
        raise Wrong(
            f"no gradient reaches {' and '.join(lost)}, so the layers before would not learn. Use TensorFlow "
            "operations, not NumPy, and do not sample or stop the gradient along the way"
        )
    for name, slope, right in zip(named, slopes, expected, strict=True):
        if not np.allclose(slope, right, rtol=1e-3, atol=1e-4):
            raise Wrong(f"the values are correct, but the gradient for {name} is not: part of it is stopped")
