"""Sums over the replicas of `tf.distribute`: the same numbers on one device and on many."""

import tensorflow as tf


def replica_id() -> list[tf.Tensor]:
    """Return what tells this replica from the others, if there are others."""
    context = tf.distribute.get_replica_context()
    return [context.replica_id_in_sync_group] if context is not None and context.num_replicas_in_sync > 1 else []


def total(value: tf.Tensor) -> tf.Tensor:
    """Return the sum of `value` over the replicas."""
    if not replica_id():
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def mean(per_example: tf.Tensor) -> tf.Tensor:
    """Return the mean over the examples, the first axis, of the global batch."""
    count = tf.cast(tf.shape(per_example)[0], per_example.dtype)
    return total(tf.reduce_sum(per_example, axis=0)) / total(count)


def gather(per_example: tf.Tensor, axis: int = 0) -> tf.Tensor:
    """Return the rows of all replicas, one after the other; their gradients come back."""
    if not replica_id():
        return per_example
    gathered = tf.distribute.get_replica_context().all_gather(per_example, axis=axis)
    shape = per_example.shape.as_list()
    shape[axis] = None
    return tf.ensure_shape(gathered, shape)  # which gathering forgets
