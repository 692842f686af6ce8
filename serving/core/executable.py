"""`Runner`, which runs a signature, and `Executable`, a function called with as little Python overhead as possible."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context, execute

from serving.core.deadline import Deadline


class Runner(Protocol):
    """Runs a signature, with inputs and outputs in the order of their names."""

    @property
    def traceable(self) -> Callable[..., Sequence[Any]]:
        """The same as a function from tensors by position to a list of tensors, for use in a `tf.function`."""

    @property
    def output_shapes(self) -> Sequence[tf.TensorShape]:
        """What is known of the outputs' shapes."""

    def __call__(
        self, inputs: Sequence[np.ndarray], wanted: Sequence[int], deadline: Deadline | None = None
    ) -> list[np.ndarray]:
        """Runs it.

        Args:
            inputs: Arrays of the dtypes of the signature, in any shape.
            wanted: The places of the outputs to return.
            deadline: Stops the work.

        Returns:
            These outputs.

        Raises:
            tf.errors.OpError: If a kernel refuses what it is given, or the work is stopped.
        """


class Executable:
    """A graph function, called with arrays.

    A `ConcreteFunction` binds names and checks types on each call, which takes as long as a small model's own work;
    this executes the function by its name instead. TensorFlow has no public way to do so: the private names needed
    for it are in this file.
    """

    def __init__(
        self, function: Callable[..., Sequence[Any]], specs: Sequence[tf.TensorSpec], keep: object = None
    ) -> None:
        """Traces a function.

        Args:
            function: Takes tensors by position and returns a list of them.
            specs: Their dtypes and shapes.
            keep: An object that must stay alive in addition to what the graph captures.
        """
        self._keep = keep
        # Kept alive, because the graph reads its variables.
        self._concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
        self._name = self._concrete.function_def.signature.name
        self._captured = list(self._concrete.captured_inputs)
        self._outputs = len(self._concrete.outputs)
        self._context = context.context()
        # As TensorFlow itself does: without them the graph is optimized differently, and rounds differently.
        self._attributes = tuple(chain.from_iterable(self._context.function_call_options.as_attrs().items()))

    def __call__(self, inputs: Sequence[np.ndarray], wanted: Sequence[int]) -> list[np.ndarray]:
        """Runs the function.

        Args:
            inputs: Arrays of the dtypes and shapes it was traced for.
            wanted: The places of the outputs to return.

        Raises:
            tf.errors.OpError: If a kernel refuses what it is given.
        """
        operands = [tf.constant(array) for array in inputs] + self._captured
        try:
            outputs = execute.execute(self._name, self._outputs, operands, self._attributes, self._context)
        except UnicodeDecodeError as error:
            raise undecodable(error) from None
        return [outputs[index].numpy() for index in wanted]


def known_sizes(shape: tf.TensorShape) -> list[int | None] | None:
    """Returns a shape's sizes, None where any size will do; None for an unknown rank."""
    return shape.as_list() if shape.rank is not None else None


def fit(sizes: Sequence[list[int | None] | None], arrays: Sequence[np.ndarray]) -> bool:
    """Returns whether arrays have the shapes that `known_sizes` describes; TensorShape's own comparison is slow."""
    for known, array in zip(sizes, arrays, strict=True):
        if known is not None and (
            len(known) != array.ndim
            or any(want not in (None, size) for want, size in zip(known, array.shape, strict=True))
        ):
            return False
    return True


def undecodable(error: UnicodeDecodeError) -> tf.errors.OpError:
    """Returns the error of a kernel that quoted a request's bytes, from which TensorFlow cannot make one in Python."""
    return tf.errors.InvalidArgumentError(None, None, error.object.decode(errors="replace"))
