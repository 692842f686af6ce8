"""Checks of one batch: its shape, its dtype and every value, eagerly or inside a graph."""

import contextlib
import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from keras_vae.conditions import Condition
from keras_vae.families.base import Family
from keras_vae.families.support import REAL, Support
from keras_vae.inference import LatentGroups
from keras_vae.utils.arrays import as_array, is_number, show_shape

# Marks the message inside the error that tf.data or a graph wraps around it.
MARK = "keras_vae refuses this data: "


def refuse(message: str) -> ValueError:
    """Return the error for bad data."""
    return ValueError(f"{MARK}{message}")


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Turn the error that a guarded dataset raises deep inside TensorFlow into one clear ValueError."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        text = str(error)
        if MARK not in text:
            raise
        message = text[text.index(MARK) :].split("\n")[0].rstrip("\"'] ")
        raise ValueError(message.replace("\\'", "'")) from None


_LOAD = "Use data.load(...) for names, files and what data.read returns."


def read(value: Any, name: str, *, lists: bool = True) -> Any:
    """Return numbers as a NumPy array or a tensor; see `as_array`."""
    try:
        return as_array(value, name, lists=lists, advice=_LOAD if name == "x" else None)
    except ValueError as error:
        raise refuse(str(error)) from None


def check_shape(shape: Any, dtype: Any, family: Family, unbatched: str = "Add the batch axis with x[None]") -> None:
    """Check that x is `[batch, *event]` and numeric.

    Args:
        shape: The shape of x.
        dtype: Its dtype.
        family: The likelihood's family.
        unbatched: What to do if the batch axis is missing.

    Raises:
        ValueError: If it is not.
    """
    shape, event = tf.TensorShape(shape), family.event_shape
    if shape.rank is None or not shape.is_compatible_with([None, *event]):
        advice = "Use data of the likelihood's event_shape"
        if shape.rank is None:
            advice = f"Use dataset.map(lambda x: tf.ensure_shape(x, {[None, *event]}))"
        elif [*shape.as_list()[1:], 1] == list(event):
            advice = "Add the channel axis with x[..., None]"
        elif shape.as_list() == list(event):
            advice = unbatched
        raise refuse(f"x: expected shape {show_shape(('batch', *event))}, received {show_shape(shape)}. {advice}.")
    if not is_number(dtype):
        raise refuse(f"x: expected numbers, received dtype {dtype.name}. Convert x to float32.")


def check_values(x: tf.Tensor, family: Family) -> tf.Tensor:
    """Return x in the family's dtype, with every value checked; not for XLA, which has no strings.

    Raises:
        ValueError: If a value is outside the support; as an `InvalidArgumentError`, see `clear_errors`.
    """
    x = tf.cast(x, family.variable_dtype)
    return check_inside(x, family.support, "x", f" for a {type(family).__name__} likelihood")


def check_inside(values: tf.Tensor, support: Support, name: str, owner: str = "") -> tf.Tensor:
    """Return the values, after checking that all are in the support; not for XLA.

    Raises:
        tf.errors.InvalidArgumentError: If one is not; see `clear_errors`.
    """
    inside = support.contains(values)
    # The first bad value is looked up only if there is one.
    tf.cond(
        tf.reduce_all(inside),
        lambda: tf.no_op(),
        lambda: tf.debugging.Assert(False, [_refusal(values, inside, support, name, owner)], summarize=1),
    )
    return values


def _refusal(values: tf.Tensor, inside: tf.Tensor, support: Support, name: str, owner: str) -> tf.Tensor:
    outside = tf.boolean_mask(values, tf.logical_not(inside))
    return tf.strings.join(
        [
            f"{MARK}{name}: expected {support.expected}{owner}, received ",
            tf.strings.as_string(outside[0], shortest=outside.dtype.is_floating),
            f". {support.advice}.",
        ]
    )


def assert_text(true: tf.Tensor, *parts: Any) -> tf.Operation:
    """Return an assertion in a graph, with a message joined from strings and numbers; not for XLA."""

    def fail() -> tf.Operation:
        shown = [part if isinstance(part, str) else tf.strings.as_string(part) for part in parts]
        return tf.debugging.Assert(False, [tf.strings.join([MARK, *shown])], summarize=1)

    return tf.cond(true, lambda: tf.no_op(), fail)


# One batch, eagerly or in a graph that may be compiled by XLA. XLA drops assertions, and networks may swallow NaN
# (`maximum(nan, 0)` is 0), so that a graph also returns which rows are sound; `poisoned` spoils the others' results.


def checked(x: Any, family: Family) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Return x, `[batch, *event]`, in the family's dtype, and in a graph which rows are in its support, `[batch]`.

    Raises:
        ValueError: If x has another shape or dtype, or a value is outside the support; a running graph raises an
            `InvalidArgumentError` for values.
    """
    x = read(x, "x")
    check_shape(x.shape, x.dtype, family)
    if tf.executing_eagerly():
        with clear_errors():
            return check_values(tf.convert_to_tensor(x), family), None
    owner = f" for a {type(family).__name__} likelihood"
    x = tf.cast(x, family.variable_dtype)
    return _with_sound_rows(x, family.support, len(family.event_shape), "x", owner)


def checked_eagerly(x: Any, family: Family) -> tf.Tensor:
    """Return x, `[batch, *event]`; its values are checked eagerly only, because training checks data before.

    Raises:
        ValueError: As `checked`.
    """
    if tf.executing_eagerly():
        return checked(x, family)[0]
    x = read(x, "x")
    check_shape(x.shape, x.dtype, family)
    return x


def checked_latents(z: Any, groups: LatentGroups) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
    """Return z by group, `[batch, *latent]`, and in a graph for each group which rows are finite, `[batch]`.

    Raises:
        ValueError: If a group is missing, has another shape or dtype, or a value is NaN or infinite; a running graph
            raises an `InvalidArgumentError` for values.
    """
    by_group = groups.unpack(z, same_rows=True, finite=True)
    sound = []
    for name, value in by_group.items():
        label = f"z[{name!r}]" if groups.several else "z"
        shape = groups.shapes[name]
        if value.shape.rank != 1 + len(shape):
            raise ValueError(
                f"{label}: expected shape {show_shape(('batch', *shape))}, received {show_shape(value.shape)}. Add the "
                "batch axis with z[None], or flatten other axes into it."
            )
        if value.dtype.is_floating and not tf.executing_eagerly():
            by_group[name], rows = _with_sound_rows(value, _FINITE, len(shape), label, "")
            sound.append(rows)
    return by_group, sound


# What `sample_weight` may be.
WEIGHTS = Support(
    "weight",
    "every weight finite and not negative",
    "Use 0 for rows that must not count",
    lambda weight: tf.math.is_finite(tf.cast(weight, tf.float64)) & (tf.cast(weight, tf.float64) >= 0),
)
_FINITE = Support("real", REAL.expected, "Pass latents such as VAE.encode(x)['mean']", REAL.contains)


def sound_condition(y: tf.Tensor | None, condition: Condition | None) -> tf.Tensor | None:
    """Return in a graph which rows of y, from `Condition.checked`, are in its support; eagerly None."""
    if condition is None or y is None or tf.executing_eagerly():
        return None
    return _all_inside(condition.support.contains(y), len(condition.shape))


def one_per_row(rows: tf.Tensor, condition: Any, rank: int, seeds: Any = None) -> AbstractContextManager[Any]:
    """Return a context for a graph's operations that run after a check of how many rows its inputs have.

    The inputs' own checks may run later than an operation that fails on them, with a message about that operation.

    Args:
        rows: What has one row per example, `[batch, ...]`.
        condition: y, `[batch, ...]`; a y without the batch axis, for all rows, is not checked; or None.
        rank: The rank of y with the batch axis.
        seeds: `[batch]`, or None.
    """
    checks: list[tf.Operation] = []
    if not tf.executing_eagerly():
        for name, value, expected_rank in (("condition", condition, rank), ("seeds", seeds, 1)):
            given = None if value is None else tf.convert_to_tensor(value)
            if given is not None and given.shape.rank == expected_rank:
                count, found = tf.shape(rows)[0], tf.shape(given)[0]
                parts = [f"{name}: expected one per row,", count, "rows, received", found, "Pass one per row."]
                checks.append(tf.debugging.Assert(tf.equal(count, found), parts))
    return tf.control_dependencies(checks)


def poisoned(outputs: Any, *sound: tf.Tensor | None) -> Any:
    """Return the outputs, each `[batch, ...]`, with NaN in all rows that are not sound.

    Args:
        outputs: A nest of float tensors.
        sound: Which rows are, each `[batch]` or a scalar; None for all of them.
    """
    known = [rows for rows in sound if rows is not None]
    if not known:
        return outputs
    rows = functools.reduce(tf.logical_and, known)

    def spoil(value: tf.Tensor) -> tf.Tensor:
        wide = tf.reshape(rows, tf.concat([tf.shape(rows), tf.ones([value.shape.rank - 1], tf.int32)], 0))
        return tf.where(wide, value, tf.constant(float("nan"), value.dtype))

    return tf.nest.map_structure(spoil, outputs)


def _with_sound_rows(
    values: tf.Tensor, support: Support, event_rank: int, name: str, owner: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the values after an assertion that all are in the support, and which rows are, `[batch]`."""
    inside = support.contains(values)
    # The first value outside, found by operations that XLA compiles; padded, since a batch may be empty.
    outside = tf.argmin(tf.concat([tf.cast(tf.reshape(inside, [-1]), tf.int32), [1]], 0))
    value = tf.concat([tf.reshape(values, [-1]), tf.zeros([1], values.dtype)], 0)[outside]
    parts = [f"{MARK}{name}: expected {support.expected}{owner}, received", value, f"{support.advice}."]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(inside), parts, summarize=1)]):
        return tf.identity(values), _all_inside(inside, event_rank)


def _all_inside(inside: tf.Tensor, event_rank: int) -> tf.Tensor:
    rank = inside.shape.rank
    return tf.reduce_all(inside, axis=list(range(rank - event_rank, rank)))
