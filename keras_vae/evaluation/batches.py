"""Going through a data set batch by batch: checked, counted, and with a progress bar."""

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
# The likelihood's parameters in one piece, for families with many: 16 MB a tensor.
_VALUES = 2**22


@dataclass(frozen=True, eq=False)
class Batch:
    """A part of the data.

    Attributes:
        number: Its place, from 0: what its noise is a function of.
        x: `[batch, *event]`, in the likelihood's dtype.
        y: What came beside x, `[batch, ...]`: a conditional model's condition, or labels; None if nothing did.
        condition: y for a conditional model, and None for any other.
    """

    number: int
    x: tf.Tensor
    y: tf.Tensor | None
    condition: tf.Tensor | None


def through(
    model: VAE, data: Any, *, measure: str, batch_size: int = 100, labels: bool = False, verbose: bool = True
) -> Iterator[Batch]:
    """Go through the data, with a progress bar named after the measure.

    Args:
        model: Whose data it is.
        data: An array `[n, *event]`; arrays (x, y); or a batched `tf.data.Dataset` of x or (x, y).
        measure: Named in the progress bar and in errors.
        batch_size: For arrays; a dataset keeps its own.
        labels: Whether y is needed, even if the model has no condition.
        verbose: Whether to show the bar.

    Raises:
        ValueError: If the data is refused as in `VAE.fit`, holds no examples, or has no y where it is needed.
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
                    f"{measure}: the data has no labels, and this measure needs them; give arrays (x, labels) or "
                    "batches of (x, label), for example data.load(..., with_labels=True)"
                )
            found = True
            y = None if y is None else tf.convert_to_tensor(y)
            yield Batch(number, tf.cast(x, dtype), y, y if model.condition is not None else None)
    if not found:
        raise ValueError(f"{measure}: the data holds no examples; wanted at least one")


def checked(model: VAE, data: Any, batch_size: int) -> Iterable[Any]:
    """Return batches of the data, whose values are checked as they flow."""
    batch_size = positive_integer(batch_size, "batch_size")
    x, y = data if isinstance(data, tuple | list) and len(data) == 2 else (data, None)
    x = _known(x)
    x, beside = input_checks.guarded_pair(
        x, y if model.condition is not None else None, model.observed_family, model.condition
    )
    y = y if beside is None else beside
    if y is not None and (isinstance(x, tf.data.Dataset | keras.utils.PyDataset) or inspect.isgenerator(x)):
        raise ValueError(f"y beside a {type(x).__name__} is not read; wanted batches of (x, y), or arrays (x, y)")
    if isinstance(x, tf.data.Dataset) or inspect.isgenerator(x):
        return x
    if isinstance(x, keras.utils.PyDataset):
        return (x[i] for i in range(len(x)))
    if y is not None and len(y) != len(x):
        raise ValueError(f"there are {len(x)} x and {len(y)} y; wanted one y for each x")
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread can hold up the end of an iterator for seconds
    parts = x if y is None else (x, np.asarray(y))
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch_size).with_options(options)


def _known(x: Any) -> Any:
    """Return x, if it is of a kind that can be gone through once."""
    if isinstance(x, tf.data.Dataset) and int(x.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "the dataset never ends, as those of data.epochs and repeat() do; wanted one pass: data.load(...), or "
            "dataset.take(batches)"
        )
    kinds = (tf.Tensor, tf.Variable, keras.Variable, tf.data.Dataset, tf.distribute.DistributedDataset)
    if isinstance(x, (*kinds, keras.utils.PyDataset, list, tuple, dict)) or inspect.isgenerator(x):
        return x
    if not hasattr(x, "__array__"):
        raise ValueError(
            f"received a {type(x).__name__}, {x!r:.60}; wanted an array [n, *event], arrays (x, y), or a batched "
            "tf.data.Dataset: data.load(...) makes one of names, files and what data.read returns"
        )
    return np.asarray(x)


def _only(parts: Any) -> Any:
    return parts[0] if isinstance(parts, tuple | list) else parts


def rows_at_once(model: VAE) -> int:
    """Return how many latents may be decoded in one piece, at least one.

    Example:
        >>> import keras_vae as kv
        >>> rows_at_once(kv.models.vae((28, 28, 1), latent_size=2, hidden=[8]))
        4096
    """
    return max(1, min(_ROWS, _VALUES // math.prod(model.decoder.family.parameters_shape)))
