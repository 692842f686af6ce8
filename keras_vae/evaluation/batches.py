"""Iterating over a data set in batches: checked, counted, with a progress bar; and how many latents fit in memory."""

import inspect
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.trainer import input_checks
from keras_vae.utils.arguments import positive_integer
from keras_vae.vae import VAE

# Enough rows for full-speed matrix products; few enough for the inner maps of convolutions.
_ROWS = 4096
# Likelihood parameters in one piece, for families with many: 16 MB per tensor.
_VALUES = 2**22


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of the data.

    Attributes:
        number: Its index, from 0, from which its noise follows.
        x: `[batch, *event]`, in the likelihood's dtype.
        y: What came with x, `[batch, ...]`: a conditional model's condition, or labels; None if the data are x alone.
        condition: y for a conditional model, None for any other.
    """

    number: int
    x: tf.Tensor
    y: tf.Tensor | None
    condition: tf.Tensor | None


def through(
    model: VAE, data: Any, *, measure: str, batch_size: int = 100, labels: bool = False, verbose: bool = True
) -> Iterator[Batch]:
    """Iterate over the data, with a progress bar named after the measure.

    Args:
        model: The model that the data are for.
        data: An array `[n, *event]`; arrays (x, y); or a batched `tf.data.Dataset` of x or (x, y).
        measure: The name in the progress bar and in errors.
        batch_size: Batch size for arrays; a dataset keeps its own.
        labels: Whether y is required, even if the model has no condition.
        verbose: Whether to show the bar.

    Raises:
        ValueError: If `VAE.fit` would refuse the data, or they have no examples, or no y where it is required.
    """
    dtype = model.observed_family.variable_dtype
    found = False
    with input_checks.clear_errors():
        for number, parts in enumerate(
            tqdm(checked(model, data, batch_size), desc=measure, unit="batch", disable=not verbose)
        ):
            x, y = parts[:2] if isinstance(parts, tuple | list) and len(parts) > 1 else (_only(parts), None)
            if labels and y is None:
                raise ValueError(
                    f"{measure}: the data have no labels: expected (x, labels), received x alone. Pass arrays "
                    "(x, labels) or batches of (x, label), such as data.load(..., with_labels=True)"
                )
            found = True
            y = None if y is None else tf.convert_to_tensor(y)
            yield Batch(number, tf.cast(x, dtype), y, y if model.condition is not None else None)
    if not found:
        raise ValueError(f"{measure}: the data are empty: expected at least one example, received none")


def checked(model: VAE, data: Any, batch_size: int) -> Iterable[Any]:
    """Return batches of the data, whose values are checked as they are read."""
    batch_size = positive_integer(batch_size, "batch_size")
    x, y = data if isinstance(data, tuple | list) and len(data) == 2 else (data, None)
    if isinstance(x, tf.data.Dataset) and int(x.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "the dataset is infinite: expected one pass over the data, received a dataset that repeats forever. Use "
            "data.load(...) or dataset.take(batches)"
        )
    x, checked_y = input_checks.guarded_pair(
        x, y if model.condition is not None else None, model.observed_family, model.condition
    )
    y = y if checked_y is None else checked_y
    if y is not None and (isinstance(x, tf.data.Dataset | keras.utils.PyDataset) or inspect.isgenerator(x)):
        raise ValueError(
            f"y is separate from a {type(x).__name__}: expected batches of (x, y) or arrays (x, y), received both apart"
        )
    if isinstance(x, tf.data.Dataset) or inspect.isgenerator(x):
        return x
    if isinstance(x, keras.utils.PyDataset):
        return (x[i] for i in range(len(x)))
    if y is not None and len(y) != len(x):
        raise ValueError(f"x and y differ in length: expected one y per x, received {len(x)} x and {len(y)} y")
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread can hold up the end of an iterator for seconds
    parts = x if y is None else (x, np.asarray(y))
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch_size).with_options(options)


def _only(parts: Any) -> Any:
    return parts[0] if isinstance(parts, tuple | list) else parts


def rows_at_once(model: VAE) -> int:
    """Return how many latents can be decoded in one piece, at least one.

    Example:
        >>> import keras_vae as kv
        >>> rows_at_once(kv.models.vae((28, 28, 1), latent_size=2, hidden=[8]))
        4096
    """
    return max(1, min(_ROWS, _VALUES // math.prod(model.decoder.family.parameters_shape)))
