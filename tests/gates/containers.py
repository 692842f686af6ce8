"""What people pass as x: containers of good and of bad values, and things that are no x at all."""

import keras
import numpy as np
import pandas as pd
import scipy.sparse
import tensorflow as tf


class ArrayLike:
    """What other libraries give: not an array, but readable as one, such as a PyTorch tensor or an xarray.DataArray."""

    def __init__(self, values):
        self._values = values
        self.shape = values.shape
        self.dtype = values.dtype

    def __len__(self):
        return len(self._values)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._values, dtype)


class Unreadable:
    """A library's tensor that NumPy cannot read in its present state."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on a tensor\nthat requires grad.")


def hdf5(values):
    import h5py

    file = h5py.File.in_memory()
    return file.create_dataset("x", data=values)


# Whole data sets.
ARRAYS = {
    "numpy": lambda x: x,
    "numpy-float64": lambda x: x.astype(np.float64),
    "DataFrame": pd.DataFrame,
    "hdf5": hdf5,
    "array-like": ArrayLike,
    "tensor": tf.constant,
    "tf.Variable": tf.Variable,
    "keras.Variable": keras.Variable,
}


class Batches(keras.utils.PyDataset):
    """Batches as `make` makes them of x, y."""

    def __init__(self, x, y, make):
        super().__init__()
        self.x, self.y, self.make = x, y, make

    def __len__(self):
        return -(-len(self.x) // 5)

    def __getitem__(self, index):
        part = slice(5 * index, 5 * index + 5)
        return self.make(self.x[part], None if self.y is None else self.y[part])


def generator(x, y, make):
    for start in range(0, len(x), 5):
        part = slice(start, start + 5)
        yield make(x[part], None if y is None else y[part])


class DataLoader:
    """Looks to Keras like PyTorch's, which yields a list."""

    __module__ = "torch.utils.data.dataloader"

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return -(-len(self.x) // 5)

    def __iter__(self):
        parts = (self.x,) if self.y is None else (self.x, self.y)
        for start in range(0, len(self.x), 5):
            yield [ArrayLike(part[start : start + 5]) for part in parts]


def pair(x, y):
    return (x,) if y is None else (x, y)


def unknown_batch(x, y):
    shape = [None, *x.shape[1:]]
    specs = pair(tf.TensorSpec(shape, tf.float32), None if y is None else tf.TensorSpec([None], tf.int64))
    return tf.data.Dataset.from_generator(lambda: generator(x, y, pair), output_signature=specs)


def unknown_columns(x, y):
    specs = pair(tf.TensorSpec([None, None], tf.float32), None if y is None else tf.TensorSpec([None], tf.int64))
    return tf.data.Dataset.from_generator(lambda: generator(x, y, pair), output_signature=specs)


def dataset(x, y):
    return tf.data.Dataset.from_tensor_slices(pair(x, y)).batch(5)


# Data sets in batches; each is made again for each use.
FLOWS = {
    "dataset": dataset,
    "dataset-of-unknown-batch": unknown_batch,
    "dataset-of-unknown-columns": unknown_columns,
    "PyDataset": lambda x, y: Batches(x, y, pair),
    "PyDataset-of-lists": lambda x, y: Batches(x, y, lambda *parts: list(pair(*parts))),
    "PyDataset-of-frames": lambda x, y: Batches(x, y, lambda x, y: (pd.DataFrame(x), *pair(x, y)[1:])),
    "generator": lambda x, y: generator(x, y, pair),
    "generator-of-frames": lambda x, y: generator(x, y, lambda x, y: (pd.DataFrame(x), *pair(x, y)[1:])),
    "DataLoader": DataLoader,
}

# No x, in any function that takes one array.
NOT_X = {
    "strings": lambda x: x.astype(str),
    "objects": lambda x: np.where(x == 0, None, x),
    "complex": lambda x: x.astype(complex),
    "dates": lambda x: x.astype("datetime64[s]"),
    "frame-of-strings": lambda x: pd.DataFrame(x).astype(str),
    "frame-with-missing": lambda x: pd.DataFrame(x).astype("Int64").mask(pd.DataFrame(x) == 0),
    "masked": lambda x: np.ma.masked_equal(x, 1),
    "sparse-tensor": tf.sparse.from_dense,
    "scipy-sparse": scipy.sparse.csr_matrix,
    "ragged": lambda x: tf.RaggedTensor.from_row_splits(x[:, 0], [0, 1, len(x)]),
    "ragged-list": lambda x: [[1.0], [1.0, 0.0]],
    "dict": lambda x: {"a": x},
    "unbatched": lambda x: x[0],
    "narrow": lambda x: x[:, :3],
    "deep": lambda x: x[..., None],
    "text": lambda x: "digits.npz",
    "number": lambda x: 3,
    "none": lambda x: None,
    "function": lambda x: np.zeros,
    "unreadable": lambda x: Unreadable(),
}

# No data set in batches.
NOT_A_FLOW = {
    "dataset-of-unknown-rank": lambda x: dataset(x, None).map(lambda x: tf.py_function(lambda x: x, [x], tf.float32)),
    "dataset-of-other-columns": lambda x: unknown_columns(x[:, :3], None),
    "dataset-of-dicts": lambda x: tf.data.Dataset.from_tensor_slices({"a": x}).batch(5),
    "dataset-of-sparse": lambda x: tf.data.Dataset.from_tensor_slices(tf.sparse.from_dense(x)).batch(5),
    "dataset-of-ragged": lambda x: tf.data.Dataset.from_tensor_slices(NOT_X["ragged"](x)).batch(5),
    "dataset-of-strings": lambda x: tf.data.Dataset.from_tensor_slices(x.astype(str)).batch(5),
    "dataset-of-four": lambda x: tf.data.Dataset.from_tensor_slices((x, x, x, x)).batch(5),
    "dataset-unbatched": lambda x: tf.data.Dataset.from_tensor_slices(x),
    "dataset-empty": lambda x: tf.data.Dataset.from_tensor_slices(x[:0]).batch(5),
    "PyDataset-of-dicts": lambda x: Batches(x, None, lambda x, y: {"a": x}),
    "PyDataset-of-four": lambda x: Batches(x, None, lambda x, y: (x, x, x, x)),
    "PyDataset-of-strings": lambda x: Batches(x, None, lambda x, y: (x.astype(str),)),
    "generator-of-bare-x": lambda x: generator(x, None, lambda x, y: x),
    "generator-of-lists": lambda x: generator(x, None, lambda x, y: [x]),
    "generator-of-dicts": lambda x: generator(x, None, lambda x, y: {"a": x}),
    "generator-of-narrow": lambda x: generator(x[:, :3], None, pair),
}


def refusal(call, kinds=(ValueError,)):
    """Return what is wrong with how `call` fails; None if it is refused in one good line."""
    try:
        found = call()
    except kinds as error:
        text = str(error)
        if "\n" in text:
            return f"several lines: {text[:300]!r}"
        missing = [word for word in ("expected", "received") if word not in text]
        return f"no {missing}: {text}" if missing else None
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]!r}"
    return f"an answer: {type(found).__name__}"
