"""Aggregates: functions that turn the log-weights of several samples into a bound."""

import math

import tensorflow as tf

from keras_vae.estimators import Aggregate


def _mean_signal(log_weights: tf.Tensor) -> tf.Tensor:
    """Return (log w_s − mean of the others)/S."""
    count = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    others = (tf.reduce_sum(log_weights, axis=0) - log_weights) / (count - 1.0)
    return (log_weights - others) / count


def _log_mean_exp(log_weights: tf.Tensor) -> tf.Tensor:
    count = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(count)


def _vimco_signal(log_weights: tf.Tensor) -> tf.Tensor:
    """Return L − L_{−s} − w̃_s, where L_{−s} has the geometric mean of the others instead of w_s.

    VIMCO, Mnih & Rezende (2016). The last term is due to log q inside the weights.
    """
    count = log_weights.shape[0]
    others = (tf.reduce_sum(log_weights, axis=0) - log_weights) / (count - 1)
    # [sample left out, sample, batch]
    replaced = tf.where(tf.eye(count, dtype=tf.bool)[:, :, None], others[:, None], log_weights[None])
    without = tf.reduce_logsumexp(replaced, axis=1) - math.log(count)
    return _log_mean_exp(log_weights) - without - tf.nn.softmax(log_weights, axis=0)


MEAN = Aggregate(
    value=lambda log_weights: tf.reduce_mean(log_weights, axis=0),
    weights=lambda log_weights: tf.ones_like(log_weights) / tf.cast(tf.shape(log_weights)[0], log_weights.dtype),
    leave_one_out=_mean_signal,
    path_power=1,
)

LOG_MEAN_EXP = Aggregate(
    value=_log_mean_exp,
    weights=lambda log_weights: tf.nn.softmax(log_weights, axis=0),
    leave_one_out=_vimco_signal,
    path_power=2,
)
