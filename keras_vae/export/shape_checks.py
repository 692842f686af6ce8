"""Checks of shapes inside an exported signature: a model server passes any shape on to the graph."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# Follows a shape, so that shapes of all ranks become comparable; no axis has this size.
_END = -1


def with_checked_shapes(function: Callable[..., Any], inputs: Sequence[tf.TensorSpec]) -> Callable[..., Any]:
    """Return a function that asserts the shapes of its inputs before it runs.

    Without it a wrong shape may reach a kernel that refuses it in its own terms, or broadcasts it. All inputs are
    checked by one comparison, because a small decoder takes only some twenty microseconds.

    Args:
        function: Takes tensors by position.
        inputs: Their names and shapes, of known rank. The first axis is the batch, of any size.

    Example:
        >>> double = with_checked_shapes(lambda x: 2 * x, [tf.TensorSpec([None, 2], tf.float32, name="x")])
        >>> tf.function(double)([[1.0, 2.0]]).numpy()
        array([[2., 4.]], dtype=float32)
        >>> try:
        ...     tf.function(double)([1.0, 2.0])
        ... except tf.errors.InvalidArgumentError as error:
        ...     print("x: expected shape [?,2], received [2]. Send rows of that shape." in error.message)
        True
    """

    def checked(*tensors: Any) -> Any:
        values = [tf.convert_to_tensor(tensor, spec.dtype) for tensor, spec in zip(tensors, inputs, strict=True)]
        with tf.control_dependencies([_assertion(values, inputs)]):
            values = [tf.identity(value) for value in values]
        return function(*values)

    return checked


def _assertion(values: Sequence[tf.Tensor], inputs: Sequence[tf.TensorSpec]) -> tf.Operation:
    shapes = [tf.raw_ops.Shape(input=_of_unknown_shape(value)) for value in values]
    found, expected = [], []
    for shape, spec in zip(shapes, inputs, strict=True):
        rank = len(spec.shape)
        padded = tf.concat([shape, [_END] * (rank + 1)], 0)[: rank + 1]
        found.append(padded)
        expected.append(tf.concat([tf.maximum(padded[:1], 0), [*spec.shape[1:], _END]], 0))
    sound = [tf.reduce_all(tf.equal(*pair)) for pair in zip(found, expected, strict=True)]
    everything = tf.reduce_all(tf.equal(tf.concat(found, 0), tf.concat(expected, 0)))
    refuse = functools.partial(_refuse, shapes, sound, inputs)
    return tf.cond(everything, lambda: tf.constant(True), refuse).op


def _refuse(shapes: Sequence[tf.Tensor], sound: Sequence[tf.Tensor], inputs: Sequence[tf.TensorSpec]) -> tf.Tensor:
    """Fail with the first input that is not sound."""
    text = tf.constant("")
    for shape, is_sound, spec in reversed(list(zip(shapes, sound, inputs, strict=True))):
        sizes = ",".join("?" if size is None else str(size) for size in spec.shape)
        received = tf.strings.reduce_join(tf.strings.as_string(shape), separator=",")
        start = f"{spec.name}: expected shape [{sizes}], received ["
        text = tf.where(is_sound, text, tf.strings.join([start, received, "]. Send rows of that shape."]))
    with tf.control_dependencies([tf.debugging.Assert(False, [text])]):
        return tf.constant(False)


def _of_unknown_shape(value: tf.Tensor) -> tf.Tensor:
    # Otherwise TensorFlow takes the shape of the signature for that of the request, and optimizes the check away.
    return tf.raw_ops.PlaceholderWithDefault(input=value, shape=tf.TensorShape(None))
