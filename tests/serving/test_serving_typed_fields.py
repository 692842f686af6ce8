"""Answers' typed fields, against protobuf's own setters; bytes in `tensor_content`, against TensorFlow's kernels."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from serving_testing import X, predict_request
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from serving.core.methods import Methods
from serving.wire import tensors

# tensor.proto's comment on each field says which dtypes it holds.
FIELDS = {
    "float_val": [np.float32],
    "double_val": [np.float64],
    "half_val": [np.float16, ml_dtypes.bfloat16],
    "int_val": [np.int8, np.int16, np.int32, np.uint8, np.uint16],
    "int64_val": [np.int64],
    "uint32_val": [np.uint32],
    "uint64_val": [np.uint64],
    "bool_val": [np.bool_],
    "scomplex_val": [np.complex64],
    "dcomplex_val": [np.complex128],
}
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)


def _set_one_by_one(array: np.ndarray, field: str) -> tensor_pb2.TensorProto:
    proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    values = array.ravel()
    if field == "half_val":
        values = values.view(np.uint16)
    elif array.dtype.kind == "c":
        values = values.view(values.real.dtype)
    getattr(proto, field).extend(values.tolist())
    return proto


def _typed(array: np.ndarray) -> tensor_pb2.TensorProto:
    proto = tensor_pb2.TensorProto()
    tensors.to_typed_proto(array, proto)
    return proto


@pytest.mark.parametrize(("field", "dtype"), [(field, dtype) for field, dtypes in FIELDS.items() for dtype in dtypes])
def test_typed_fields_equal_protobuf_own(field, dtype):
    bits = np.uint16 if field == "half_val" else dtype

    @settings(max_examples=20, deadline=None)
    @given(arrays.arrays(bits, SHAPES))
    def check(array):
        array = array.view(dtype)
        proto, wanted = _typed(array), _set_one_by_one(array, field)
        assert proto.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)
        read = tensors.to_array(proto)
        assert (read.shape, read.dtype, read.tobytes()) == (array.shape, array.dtype, array.tobytes())
        assert tf.io.parse_tensor(proto.SerializeToString(), dtype).numpy().tobytes() == array.tobytes()

    check()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_strings_in_both_encodings(strings):
    array = np.array([*strings, None], object)[:-1]
    typed, content = _typed(array), tensor_pb2.TensorProto()
    tensors.to_content_proto(array, content)
    assert list(typed.string_val) == strings
    assert typed.SerializeToString() == tf.io.serialize_tensor(tf.constant(array, tf.string)).numpy()
    for proto in (typed, content):
        assert tensors.to_array(proto).tolist() == strings
        assert tf.io.parse_tensor(proto.SerializeToString(), tf.string).numpy().tolist() == strings


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), -1, 0, 127, 128, 2**35])
def test_integers_at_the_ends_of_varints(value):
    array = np.array([value, 1], np.int64)
    assert list(_typed(array).int64_val) == [value, 1]


def test_a_transposed_array_keeps_its_order():
    assert list(_typed(np.arange(6, dtype=np.float32).reshape(2, 3).T).float_val) == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    "proto",
    [
        tensor_pb2.TensorProto(dtype=tf.float32.as_datatype_enum, tensor_content=b"\0" * 4),
        tensor_pb2.TensorProto(dtype=tf.complex64.as_datatype_enum, scomplex_val=[1.0, 2.0, 3.0]),
        tensor_pb2.TensorProto(dtype=tf.complex64.as_datatype_enum, scomplex_val=[1.0]),
    ],
    ids=["content for nothing", "a complex number and a half", "half a complex number"],
)
def test_reads_odd_tensors_as_tensorflow_does(proto):
    proto.tensor_shape.dim.add(size=0 if proto.tensor_content else 1)
    kernel = tf.io.parse_tensor(proto.SerializeToString(), proto.dtype).numpy()
    np.testing.assert_array_equal(tensors.to_array(proto), kernel, strict=True)


def _of_every_kind(stubs):
    return {
        name: stubs.predict(request, timeout=30).outputs
        for name, request in {
            "encode": predict_request("encode", x=X),
            "join": predict_request("join", words=np.array([b"a", b""], object)),
            "empty": predict_request("encode", x=X[:0]),
        }.items()
    }


def test_predict_answers_with_typed_fields(stubs):
    answers = _of_every_kind(stubs)
    assert len(answers["encode"]["mean"].float_val) == 4
    assert list(answers["join"]["joined"].string_val) == [b"a-a", b"-"]
    assert list(answers["join"]["count"].int_val) == [2]
    assert not answers["join"]["count"].tensor_shape.dim
    assert not answers["empty"]["mean"].float_val
    assert [dim.size for dim in answers["empty"]["mean"].tensor_shape.dim] == [0, 2]
    assert not any(output.tensor_content for answer in answers.values() for output in answer.values())


def test_predict_answers_with_content_on_demand(server):
    methods = Methods(server.models, lambda: None, as_tensor_content=True)
    outputs = methods.predict(predict_request("join", words=np.array([b"a", b""], object))).outputs
    assert outputs["joined"].tensor_content == b"\x03\x01a-a-"
    assert outputs["count"].tensor_content == np.int32(2).tobytes()
    assert not predict_pb2.PredictResponse(outputs=outputs).outputs["joined"].string_val


def test_scalars_of_every_kind_are_answered(stubs):
    """A session returns them as NumPy's numbers and as bytes."""
    request = predict_request("join", words=np.array(b"a", object))
    request.output_filter.append("joined")
    joined = stubs.predict(request, timeout=30).outputs["joined"]
    assert (list(joined.string_val), list(joined.tensor_shape.dim)) == ([b"a-a"], [])
    total = stubs.predict(predict_request("total", table=np.ones([2, 3], np.float32)), timeout=30).outputs["total"]
    assert (list(total.float_val), list(total.tensor_shape.dim)) == ([6.0], [])
