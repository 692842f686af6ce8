"""`Executable`: a signature's function, called with as little Python overhead as possible."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context, execute

from serving.core.deadline import Deadline


class Executable:
    """A graph function from a list of tensors to a list of tensors.

    A `ConcreteFunction` binds names and checks types on each call, which takes as long as a small model's own work;
    this executes the function by its name instead. TensorFlow has no public way to do so: the private names needed
    for it are in this file and in `deadline`.
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
        self.output_shapes = [output.shape for output in self._concrete.outputs]
        self._context = context.context()
        # As TensorFlow itself does: without them the graph is optimized differently, and rounds differently.
        self._attributes = tuple(chain.from_iterable(self._context.function_call_options.as_attrs().items()))

    def __call__(self, inputs: list[tf.Tensor], deadline: Deadline | None = None) -> list[tf.Tensor]:
        """Runs the function.

        Args:
            inputs: Tensors of the dtypes and shapes it was traced for.
            deadline: Stops the work when cancelled.

        Returns:
            Its outputs.

        Raises:
            tf.errors.OpError: If a kernel refuses what it is given, or the work is stopped.
        """
        operands = inputs + self._captured
        try:
            if deadline is None:
                return execute.execute(self._name, self._outputs, operands, self._attributes, self._context)
            return execute.execute_with_cancellation(
                self._name, self._outputs, operands, self._attributes, self._context, deadline.manager
            )
        except UnicodeDecodeError as error:
            # A kernel quoted the request's bytes in its message, from which TensorFlow cannot make a Python error.
            message = error.object.decode(errors="replace")
            raise tf.errors.InvalidArgumentError(None, None, message) from None
