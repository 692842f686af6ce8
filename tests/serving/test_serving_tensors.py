"""Tensors on the wire, against TensorFlow's own reading and writing of them."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.wire import tensors

NUMBERS = [
    *(np.float16, np.float32, np.float64, ml_dtypes.bfloat16, np.complex64, np.complex128, np.bool_),
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
]


def _typed(array: np.ndarray) -> tensor_pb2.TensorProto:
    """Writes values one by one, as TensorFlow Serving answers."""
    proto = tf.make_tensor_proto(array.ravel()[:1], shape=[1])
    proto.ClearField("tensor_content")
    for value in array.ravel():
        one = tf.make_tensor_proto(value.item() if array.dtype.kind not in "V" else value, array.dtype, [1])
        assert not one.tensor_content
        proto.MergeFrom(one)
    del proto.tensor_shape.dim[:]
    for field, values in list(proto.ListFields()):
        if field.name.endswith("_val"):
            step = 2 if "complex" in field.name else 1
            del values[:step]
    proto.ClearField("tensor_shape")
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def _example(dtype: type) -> np.ndarray:
    array = np.array([[0, 1, 2], [3, 100, 7]]).astype(dtype)
    return array * dtype(1 + 2j) if np.dtype(dtype).kind == "c" else array


@pytest.mark.parametrize("dtype", NUMBERS)
def test_reads_what_tensorflow_writes(dtype):
    array = _example(dtype)
    for proto in (tf.make_tensor_proto(array), _typed(array)):
        np.testing.assert_array_equal(tensors.to_array(proto), array, strict=True)


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (6,), (3, 2)])
def test_tensorflow_reads_what_is_written(dtype, shape):
    array = np.resize(_example(dtype), shape)
    proto = tensor_pb2.TensorProto()
    tensors.to_proto(array, proto)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array, strict=True)
    np.testing.assert_array_equal(tensors.to_array(proto), array, strict=True)


def test_writes_a_transposed_array_in_its_order():
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    proto = tensor_pb2.TensorProto()
    tensors.to_proto(array, proto)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)


def test_strings():
    array = np.array([[b"", b"\xff\x00"], [b"long" * 99, "é".encode()]], object)
    proto = tensor_pb2.TensorProto()
    tensors.to_proto(array, proto)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array, strict=True)
    np.testing.assert_array_equal(tensors.to_array(tf.make_tensor_proto(array)), array, strict=True)


@pytest.mark.parametrize(
    ("values", "filled"), [([], [0, 0, 0, 0]), ([5], [5, 5, 5, 5]), ([5, 6], [5, 6, 6, 6]), (range(9), [0, 1, 2, 3])]
)
def test_fills_and_cuts_as_tensorflow_does(values, filled):
    proto = tensor_pb2.TensorProto(dtype=tf.int32.as_datatype_enum, int_val=values)
    for _ in range(2):
        proto.tensor_shape.dim.add(size=2)
    np.testing.assert_array_equal(tensors.to_array(proto).ravel(), filled)
    kernel = tf.io.parse_tensor(proto.SerializeToString(), tf.int32).numpy()
    np.testing.assert_array_equal(tensors.to_array(proto), kernel)


def test_fills_strings():
    proto = tensor_pb2.TensorProto(dtype=tf.string.as_datatype_enum)
    proto.tensor_shape.dim.add(size=2)
    assert tensors.to_array(proto).tolist() == [b"", b""]


def test_a_large_tensor_sent_in_full_is_read():
    array = np.ones(2**24 + 1, np.float32)
    assert tensors.to_array(tf.make_tensor_proto(array)).shape == array.shape


def test_refuses_to_write_what_has_no_dtype():
    with pytest.raises(ValueError, match="datetime64"):
        tensors.to_proto(np.array(["2020-01-01"], "datetime64[D]"), tensor_pb2.TensorProto())
