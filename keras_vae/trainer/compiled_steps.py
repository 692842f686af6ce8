"""The function that `fit` and `evaluate` of Keras call: several steps in one TensorFlow call.

Keras's own function reduces each step's logs over the replicas along an axis that scalars do not have, so it fails
under `MultiWorkerMirroredStrategy` (keras issue 20585). This one reads the metrics after the steps, outside the
replicas, where TensorFlow sums them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

Logs = dict[str, Any]


def make_function(model: keras.Model, step: Callable[[Any], Logs]) -> Callable[[Any], Logs]:
    """Return a function that takes `model.steps_per_execution` steps on an iterator of batches and returns logs.

    Args:
        model: A compiled model, whose metrics `step` updates.
        step: Its `train_step` or `test_step`. Logs other than metrics are averaged over the replicas.

    Raises:
        StopIteration, tf.errors.OutOfRangeError: By the returned function, if no batches are left.
    """
    strategy = model.distribute_strategy

    @tf.autograph.experimental.do_not_convert
    def one_step(data: Any) -> Logs:
        logs = strategy.run(step, args=(keras.tree.map_structure(_none_if_optional, data),))
        names = {metric.name for metric in model.metrics}
        return {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
            for name, value in logs.items()
            if name not in names
        }

    if not model.run_eagerly:
        one_step = tf.function(one_step, reduce_retracing=True, jit_compile=model.jit_compile)

    @tf.autograph.experimental.do_not_convert
    def steps(iterator: Any, count: tf.Tensor) -> Logs:
        def another(done: tf.Tensor, more: tf.Tensor, logs: Logs) -> tuple[tf.Tensor, tf.Tensor, Logs]:
            if strategy.num_replicas_in_sync > 1:  # their optional batches fail inside a branch
                return done + 1, more, one_step(iterator.get_next())
            batch = iterator.get_next_as_optional()
            more = batch.has_value()
            return done + 1, more, tf.cond(more, lambda: one_step(batch.get_value()), lambda: logs)

        _, _, logs = tf.while_loop(
            lambda done, more, logs: tf.logical_and(more, done < count),
            another,
            (tf.constant(1), tf.constant(True), one_step(iterator.get_next())),
            parallel_iterations=1,
        )
        return {**logs, **model.get_metrics_result()}

    if not model.run_eagerly:
        steps = tf.function(steps, reduce_retracing=True)

    def steps_of_any(batches: Iterable[Any]) -> Logs:
        if isinstance(batches, tf.data.Iterator | tf.distribute.DistributedIterator):
            return steps(batches, tf.constant(model.steps_per_execution))
        logs = None
        for _, data in zip(range(model.steps_per_execution), batches, strict=False):
            logs = {**one_step(data), **model.get_metrics_result()}
        if logs is None:
            raise StopIteration
        return logs

    return steps_of_any


def _none_if_optional(part: Any) -> Any:
    """Return None for the placeholder that Keras uses for None in a dataset."""
    return None if isinstance(part, tf.experimental.Optional) else part


_MOST = 32
_BATCH_METHODS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def steps_at_once(callbacks: Any, fixed: Sequence[int | None]) -> int:
    """Return the largest number of steps per call, from 1 to 32, that does not change the results.

    It is 1 if a user-defined callback looks at batches, and otherwise a divisor of all fixed numbers of steps: Keras
    continues to the next multiple, which would consume batches of the next epoch.

    Args:
        callbacks: The argument of `fit`.
        fixed: `steps_per_epoch` and `validation_steps`, each a number or None.
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
