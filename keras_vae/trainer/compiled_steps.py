"""The function that `fit` and `evaluate` of Keras call for each step, several of them in one TensorFlow call.

Keras's own function reduces each step's logs over the replicas along an axis that scalars do not have, so it fails
under `MultiWorkerMirroredStrategy` (keras issue 20585). This one reads the metrics after the steps, outside the
replicas, where TensorFlow sums them.
"""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf

from keras_vae.utils.compiled import compiled

Logs = dict[str, Any]

_MOST = 32


class Steps:
    """Takes a step on an iterator of batches at each call, and returns its logs.

    Where nobody looks at the model between batches, it runs ahead of Keras: one call takes up to 32 steps in
    TensorFlow, and the next 31 calls return the same logs without any work. Keras counts batches, finds the end of the
    data and calls callbacks as it does without this.

    Args:
        model: A compiled model, whose metrics `step` updates.
        step: Its `train_step` or `test_step`.
        reports: Whether to return the step's own logs, averaged over the replicas, instead of all metrics of the model.
        check: Called after the steps.

    Raises:
        StopIteration, tf.errors.OutOfRangeError: By a call, if no batches are left.
    """

    def __init__(
        self,
        model: keras.Model,
        step: Callable[[Any], Logs],
        reports: bool,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.model = model
        self.check = check
        self._reports = reports
        self._one_step, self._steps = _compiled(model, step, reports)
        self.begin(1, None)

    def begin(self, most: int, limit: int | None) -> None:
        """Begin a pass over data.

        Args:
            most: The largest number of steps to take in one TensorFlow call.
            limit: The number of steps after which Keras ends an epoch, on an iterator that may go on; None if an epoch
                ends with the data.
        """
        self.most = most
        self._limit = limit
        self._taken = 0  # in this epoch, if there is a limit
        self._unreported = 0
        self._logs: Logs = {}

    def __call__(self, batches: Iterable[Any]) -> Logs:
        """Take a step, or as many as `compile(steps_per_execution=...)` says."""
        count = self.model.steps_per_execution
        if not isinstance(batches, tf.data.Iterator | tf.distribute.DistributedIterator):
            logs = None
            for _, data in zip(range(count), batches, strict=False):
                logs = self._one_step(data)
            if logs is None:
                raise StopIteration
            self.check()
            return _after(self.model, logs, self._reports)
        if self.most == 1 or count > 1:
            logs, _ = self._steps(batches, tf.constant(count))
            self.check()
            return logs
        if not self._unreported:
            self._run_ahead(batches)
        self._unreported -= 1
        return self._logs

    def _run_ahead(self, batches: Any) -> None:
        taken, self._taken = self._taken, 0
        count = self.most if self._limit is None else min(self.most, self._limit - taken)
        logs, done = self._steps(batches, tf.constant(count))
        self.check()
        # Converted once, because Keras converts the logs of each call.
        self._logs = keras.tree.map_structure(lambda value: value.numpy(), logs)
        self._unreported = int(done)
        if self._unreported == count and taken + count != self._limit:
            self._taken = taken + count  # neither the data nor the epoch has ended


def _compiled(model: keras.Model, step: Callable[[Any], Logs], reports: bool) -> tuple[Callable, Callable]:
    """Return a function of a batch, and one of an iterator and a number of steps, which also returns those taken."""
    strategy = model.distribute_strategy

    @tf.autograph.experimental.do_not_convert
    def one_step(data: Any) -> Logs:
        logs = strategy.run(step, args=(keras.tree.map_structure(_none_if_optional, data),))
        if not reports:
            return {}
        return {
            name: keras.tree.map_structure(lambda part: strategy.reduce(tf.distribute.ReduceOp.MEAN, part, None), value)
            for name, value in logs.items()
        }

    if not model.run_eagerly:
        one_step = compiled(one_step, jit_compile=model.jit_compile)

    @tf.autograph.experimental.do_not_convert
    def steps(iterator: Any, count: tf.Tensor) -> tuple[Logs, tf.Tensor]:
        def another(done: tf.Tensor, more: tf.Tensor, logs: Logs) -> tuple[tf.Tensor, tf.Tensor, Logs]:
            if strategy.num_replicas_in_sync > 1:  # their optional batches fail inside a branch
                return done + 1, more, one_step(iterator.get_next())
            batch = iterator.get_next_as_optional()
            more = batch.has_value()
            logs = tf.cond(more, lambda: one_step(batch.get_value()), lambda: logs)
            return done + tf.cast(more, tf.int32), more, logs

        done, _, logs = tf.while_loop(
            lambda done, more, logs: tf.logical_and(more, done < count),
            another,
            (tf.constant(1), tf.constant(True), one_step(iterator.get_next())),
            parallel_iterations=1,
        )
        return _after(model, logs, reports), done

    return one_step, steps if model.run_eagerly else compiled(steps)


def _after(model: keras.Model, logs: Logs, reports: bool) -> Logs:
    """Return the logs of steps that have been taken, read outside the replicas."""
    if not reports:
        return model.get_metrics_result()
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return logs
    # The mean of the replicas' metrics is not the metric of all examples.
    exact = {
        metric.name: _result_if_updated(metric, logs[metric.name]) for metric in model.metrics if metric.name in logs
    }
    return {**logs, **exact}


def _result_if_updated(metric: keras.metrics.Metric, otherwise: tf.Tensor) -> tf.Tensor:
    """Return the metric's result; or `otherwise`, since a user's own step may report values that are no metrics."""
    updated = [tf.reduce_any(tf.not_equal(tf.convert_to_tensor(variable), 0)) for variable in metric.variables]
    return tf.where(tf.reduce_any(updated), tf.cast(metric.result(), otherwise.dtype), otherwise)


def _none_if_optional(part: Any) -> Any:
    """Return None for the placeholder that Keras uses for None in a dataset."""
    return None if isinstance(part, tf.experimental.Optional) else part


_BATCH_METHODS = (
    *("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    *("on_test_batch_begin", "on_test_batch_end"),
)


def most_at_once(callbacks: Any) -> int:
    """Return the largest number of steps per TensorFlow call that callbacks cannot notice: 1, or 32.

    It is 1 if one looks at the model after a batch, as a user's own may do, or can stop training there.

    Args:
        callbacks: The argument of `fit` or `evaluate`.
    """
    return 1 if any(_watches_batches(callback) for callback in _each(callbacks)) else _MOST


def _each(callbacks: Any) -> Iterable[keras.callbacks.Callback]:
    if callbacks is None:
        return []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return callbacks if isinstance(callbacks, list | tuple) else [callbacks]


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
    return any(name in vars(callback) or _defined_to_watch(callback, name) for name in _BATCH_METHODS)


def _defined_to_watch(callback: keras.callbacks.Callback, name: str) -> bool:
    owner = next(kind for kind in type(callback).__mro__ if name in vars(kind))
    # Progress bars need the number of the batch alone.
    if owner in (keras.callbacks.Callback, keras.callbacks.ProgbarLogger) or owner.__module__.startswith("keras_vae."):
        return False
    if owner is keras.callbacks.TensorBoard:
        profiles = callback._stop_batch > 0
        return callback.update_freq != "epoch" or callback.write_steps_per_second or profiles
    # ModelCheckpoint, BackupAndRestore and OrbaxCheckpoint.
    if owner.__module__.startswith("keras.") and hasattr(callback, "save_freq"):
        return callback.save_freq not in ("epoch", False)
    return True
