"""Reading what users pass as arrays: NumPy arrays, tensors, data frames, HDF5 datasets, and everything like them."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

# How to make a dense array of each kind that has another layout.
_DENSE = {
    tf.SparseTensor: "Use tf.sparse.to_dense({0}).",
    tf.RaggedTensor: "Use {0}.to_tensor() if all rows have the same shape.",
}


def as_array(value: Any, name: str, *, lists: bool = True, advice: str | None = None) -> Any:
    """Return numbers as a NumPy array or a tensor.

    Args:
        value: A NumPy array, a tensor, a variable, or anything that NumPy can read: a DataFrame, an HDF5 dataset, an
            object with `__array__`, nested lists of numbers.
        name: The argument, for the message.
        lists: Whether lists and tuples are read. Keras reads them as several inputs.
        advice: What to do with anything that is not an array, for the message.

    Raises:
        ValueError: If it cannot be read as one dense array of numbers, or entries are masked.

    Example:
        >>> as_array([[1, 2]], "x")
        array([[1, 2]])
        >>> as_array({"a": 1}, "x")
        Traceback (most recent call last):
        ...
        ValueError: x: expected one array, received a dict. Pass the array inside, such as x['a'].
    """
    if isinstance(value, tf.Variable | keras.Variable):
        value = tf.convert_to_tensor(value)
    advice = advice or f"Use numpy.asarray({name}) if it holds numbers."
    found = value if isinstance(value, tf.Tensor) else _read(value, name, lists, advice)
    if not is_number(found.dtype):
        shown = "string" if isinstance(found.dtype, np.dtype) and found.dtype.kind in "US" else found.dtype.name
        raise ValueError(f"{name}: expected numbers, received dtype {shown}. Convert {name} to float32.")
    return found


def is_number(dtype: Any) -> bool:
    """Return whether a NumPy or TensorFlow dtype is of integers, floats or booleans.

    Example:
        >>> is_number(np.dtype("uint8")), is_number(np.dtype(object)), is_number(tf.complex64)
        (True, False, False)
    """
    if isinstance(dtype, np.dtype):
        if dtype.kind in "OUSMmc":
            return False
        dtype = tf.as_dtype(dtype)
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def show_shape(shape: Any) -> str:
    """Return a shape as Python writes a tuple, with names of axes as they are.

    Example:
        >>> show_shape(("batch", 28, 28, 1)), show_shape([None])
        ('(batch, 28, 28, 1)', '(None,)')
    """
    if isinstance(shape, tf.TensorShape) and shape.rank is None:
        return "unknown, even its rank"
    dims = [str(dim) for dim in shape]
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"


def _read(value: Any, name: str, lists: bool, advice: str) -> np.ndarray:
    kind = type(value).__name__
    for sparse, dense in _DENSE.items():
        if isinstance(value, sparse):
            raise ValueError(f"{name}: expected a dense array, received a {kind}. {dense.format(name)}")
    if hasattr(value, "toarray"):  # as those of SciPy
        raise ValueError(f"{name}: expected a dense array, received a {kind}. Use {name}.toarray().")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = int(np.ma.count_masked(value))
        raise ValueError(
            f"{name}: expected no masked entries, received {masked}. Use {name}.filled(value), or leave those rows out."
        )
    if isinstance(value, dict):
        inside = f", such as {name}[{next(iter(value))!r}]" if value else ""
        raise ValueError(f"{name}: expected one array, received a {kind}. Pass the array inside{inside}.")
    if isinstance(value, list | tuple) and not lists:
        raise ValueError(
            f"{name}: expected one array, received a {kind}, which Keras reads as several inputs. Use "
            f"numpy.stack({name})."
        )
    if not (hasattr(value, "__array__") or isinstance(value, list | tuple | bool | int | float)):
        raise ValueError(f"{name}: expected an array of numbers, received a {kind}, {_one_line(value)}. {advice}")
    try:
        found = np.asarray(value)
        if found.dtype == object and all(column.kind in "biuf" for column in getattr(value, "dtypes", [found.dtype])):
            found = value.to_numpy(np.float64)  # a DataFrame of several kinds of numbers
        return found
    except Exception as error:  # any library's __array__, and lists of rows of different lengths
        reason = f"{type(error).__name__}: {_one_line(error)}"
        raise ValueError(
            f"{name}: expected one array of numbers, received a {kind} that NumPy cannot read ({reason}). Use "
            f"numpy.stack({name}) on rows of one shape."
        ) from None


def _one_line(value: Any) -> str:
    text = " ".join((str(value) if isinstance(value, Exception) else repr(value)).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
