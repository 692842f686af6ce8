"""Statistics of single examples, for comparing data with replicated data."""

import math
from collections.abc import Callable, Mapping

import tensorflow as tf

from keras_vae.families import Family

# From examples `[batch, *event]` to one number per example, `[batch]`.
Statistic = Callable[[tf.Tensor], tf.Tensor]


def mean_value(x: tf.Tensor) -> tf.Tensor:
    """Return the mean of each example's values, `[batch]`."""
    return tf.reduce_mean(_flat(x), axis=-1)


def variance(x: tf.Tensor) -> tf.Tensor:
    """Return the variance of each example's values about their mean, `[batch]`."""
    return tf.math.reduce_variance(_flat(x), axis=-1)


def lit_share(x: tf.Tensor) -> tf.Tensor:
    """Return the share of values above ½, `[batch]`."""
    return tf.reduce_mean(tf.cast(_flat(x) > 0.5, x.dtype), axis=-1)


def neighbor_agreement(x: tf.Tensor) -> tf.Tensor:
    """Return the share of neighboring pixels, horizontal and vertical, that are on the same side of ½.

    Args:
        x: `[batch, height, width, channels]`.

    Returns:
        `[batch]`: 1 for an image of one color, 0 for a chessboard, about ½ for noise.

    Example:
        >>> board = tf.reshape([0.0, 1.0, 1.0, 0.0], [1, 2, 2, 1])
        >>> neighbor_agreement(tf.concat([board, tf.ones([1, 2, 2, 1])], 0)).numpy().tolist()
        [0.0, 1.0]
    """
    lit = x > 0.5
    right = tf.equal(lit[:, :, 1:], lit[:, :, :-1])
    below = tf.equal(lit[:, 1:], lit[:, :-1])
    pairs = tf.concat([_flat(tf.cast(same, x.dtype)) for same in (right, below)], axis=-1)
    return tf.reduce_mean(pairs, axis=-1)


def usual(family: Family) -> dict[str, Statistic]:
    """Return the standard statistics for the values of a likelihood, by name.

    Example:
        >>> import keras_vae as kv
        >>> list(usual(kv.families.Bernoulli((8, 8, 1))))
        ['lit pixels', 'neighbor agreement']
        >>> list(usual(kv.families.Normal(3)))
        ['mean', 'variance']
    """
    shape, several = family.event_shape, math.prod(family.event_shape) > 1
    found: dict[str, Statistic] = {}
    support = family.support
    if not support.binary:  # for which the share of ones is enough
        found["mean"] = mean_value
        if several:
            found["variance"] = variance
    if support.elementwise and (support.lower, support.upper) == (0.0, 1.0):
        found["lit pixels"] = lit_share
        if len(shape) == 3 and shape[0] * shape[1] > 1:
            found["neighbor agreement"] = neighbor_agreement
    return found


def checked(name: str, statistic: Statistic, family: Family) -> Statistic:
    """Return a user's statistic with checked results.

    Args:
        name: The name in errors.
        statistic: From `[batch, *event]` to `[batch]`.
        family: The likelihood family.

    Raises:
        TypeError: If it is not a function.
        ValueError: When called, if it does not return one number per example.
    """
    if not callable(statistic):
        raise TypeError(
            f"statistic {name!r} is not a function: expected a function from x [batch, *event] to [batch], received "
            f"{statistic!r}"
        )

    def of(x: tf.Tensor) -> tf.Tensor:
        found = tf.convert_to_tensor(statistic(x))
        if not found.shape.is_compatible_with([x.shape[0]]) or found.shape.rank != 1:
            raise ValueError(
                f"statistic {name!r} has the wrong shape: expected one number per example, [batch], for x of shape "
                f"{('batch', *family.event_shape)}, received {found.shape}. Reduce over all axes but the first"
            )
        return tf.cast(found, family.variable_dtype)

    return of


def all_statistics(family: Family, added: Mapping[str, Statistic] | None) -> dict[str, Statistic]:
    """Return the standard statistics and a user's own.

    Raises:
        TypeError: As `checked`.
        ValueError: If a name is taken.
    """
    found = usual(family)
    for name, statistic in (added or {}).items():
        if name in found:
            raise ValueError(
                f"the name of a statistic is taken: expected one other than {sorted(found)}, received {name!r}"
            )
        found[name] = checked(name, statistic, family)
    return found


def _flat(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [tf.shape(x)[0], math.prod(x.shape[1:])])
