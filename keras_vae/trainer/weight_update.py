"""Applying gradients in one pass, if they are finite."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_vae.utils import replicas

# With fewer weights, compiling the update costs more than it saves.
_WORTH_COMPILING = 100_000


class Update:
    """An optimizer's step on a model's variables, applied only if `sound` is true.

    Keras's optimizers compute an update with many element-wise operations, each a pass over memory. XLA fuses them into
    one. With several replicas, which XLA does not support, they are not fused.

    Args:
        optimizer: A built Keras optimizer.
        variables: The variables that it updates.
        plain: Whether to never compile.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: Sequence[Any], plain: bool = False) -> None:
        self.optimizer = optimizer
        self.variables = list(variables)
        size = sum(math.prod(variable.shape) for variable in self.variables)
        self._apply = self._apply_plain
        if not plain and size >= _WORTH_COMPILING:
            self._apply = tf.function(self._apply_plain, jit_compile=True, autograph=False)

    def fits(self, optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]) -> bool:
        """Return whether it is the update of these variables by this optimizer."""
        return self.optimizer is optimizer and list(map(id, self.variables)) == list(map(id, variables))

    def __call__(self, gradients: Sequence[Any], sound: tf.Tensor) -> None:
        """Update the variables if `sound`, a scalar bool that is the same on all replicas, is true."""
        if replicas.alone():
            tf.cond(sound, lambda: self._apply(gradients), lambda: tf.constant(0))
        elif tf.__internal__.distribute.strategy_supports_no_merge_call():
            tf.cond(sound, lambda: self._apply_plain(gradients), lambda: tf.constant(0))
        else:
            tf.distribute.get_replica_context().merge_call(self._apply_everywhere, args=(sound, gradients))

    def _apply_plain(self, gradients: Sequence[Any]) -> tf.Tensor:
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        return tf.constant(0)

    def _apply_everywhere(self, strategy: Any, sound: Any, gradients: Any) -> None:
        # The condition is outside, because replicas cannot synchronize inside a branch.
        def update() -> tf.Tensor:
            strategy.extended.call_for_each_replica(self._apply_plain, args=(gradients,))
            return tf.constant(0)

        tf.cond(strategy.experimental_local_results(sound)[0], update, lambda: tf.constant(0))
