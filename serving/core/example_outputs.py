"""How error messages name the outputs of a classification or regression."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2


def bracketed(shape: Sequence[int]) -> str:
    """Returns a shape as TensorFlow writes it, such as `[2,3]`."""
    return "[" + ",".join(map(str, shape)) + "]"


def dtype_enum_name(dtype: np.dtype) -> str:
    """Returns the name of a dtype's `DataType`, such as `DT_FLOAT`."""
    return types_pb2.DataType.Name(tf.as_dtype(dtype).as_datatype_enum)
