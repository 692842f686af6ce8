"""Tensors as JSON: numbers keep their bits, and what does not fit is refused."""

import base64
import json
import struct

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.core.errors import RequestError
from serving.rest.tensor_reading import read_tensor
from serving.rest.tensor_writing import write_floats, write_rows, write_tensor

INTEGERS = [tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64]
FLOATS = [tf.float16, tf.bfloat16, tf.float32, tf.float64]


def _written(array: np.ndarray, name: str = "x") -> str:
    return write_tensor(name, tf.make_tensor_proto(array))


def _same(one: np.ndarray, other: np.ndarray) -> None:
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    assert one.tobytes() == other.tobytes()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=1000, deadline=None)
def test_float32_keeps_its_bits(bits):
    (value,) = np.array([bits], np.uint32).view(np.float32)
    (text,) = write_floats([value])
    back = read_tensor(json.loads(f"[{text}]"), tf.float32.as_datatype_enum)
    assert np.isnan(value) if np.isnan(back[0]) else struct.pack("f", value) == back.tobytes()


def test_a_million_float32_keep_their_bits():
    bits = np.random.default_rng(0).integers(0, 2**32, 10**6, np.uint64).astype(np.uint32)
    values = bits.view(np.float32)[np.isfinite(bits.view(np.float32))]
    back = np.array([float(text) for text in write_floats(values)]).astype(np.float32)
    _same(back, values)


def test_float32_is_written_no_longer_than_numpy_writes_it():
    random = np.random.default_rng(1)
    values = np.concatenate([random.random(20_000, np.float32), random.normal(0, 100, 20_000).astype(np.float32)])
    for text, value in zip(write_floats(values), values, strict=True):
        assert len(text) <= len(np.format_float_positional(value, unique=True, trim="0")), text


def test_numbers_look_as_tensorflow_serving_writes_them():
    values = [0.2, 1, -0.0, 9e6, 3e-5, 1e9, np.nan, np.inf, -np.inf, 16777216]
    assert write_floats(values) == [
        *("0.2", "1.0", "-0.0", "9000000.0", "3e-05", "1e+09", "NaN", "Infinity", "-Infinity", "16777216.0")
    ]


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, tf.bool])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 1, 2), (2, 0)])
def test_any_shape_there_and_back(dtype, shape):
    array = np.resize(np.array([0, 1, 2, 100, 7, 3]), shape).astype(dtype.as_numpy_dtype)
    text = _written(array)
    assert np.array(json.loads(text), float).tolist() == array.astype(float).tolist()
    _same(read_tensor(json.loads(text), dtype.as_datatype_enum), array)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_to_the_last_bit(dtype):
    limits = np.iinfo(dtype.as_numpy_dtype)
    array = np.array([limits.min, limits.max, limits.max - 1], dtype.as_numpy_dtype)
    assert json.loads(_written(array)) == [limits.min, limits.max, limits.max - 1]
    _same(read_tensor([limits.min, limits.max, limits.max - 1], dtype.as_datatype_enum), array)
    for wrong in (limits.min - 1, limits.max + 1, 1.0, True, "1", None):
        with pytest.raises(RequestError, match="not of expected type") as caught:
            read_tensor([1, wrong], dtype.as_datatype_enum)
        assert json.dumps(wrong) in caught.value.details


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_that_do_not_fit(dtype):
    limits = ml_dtypes.finfo(dtype.as_numpy_dtype)
    enum = dtype.as_datatype_enum
    whole = 2 ** (limits.nmant + 1)
    largest = float(limits.max)
    assert read_tensor([largest, whole - 1, float("nan"), float("inf")], enum)[0] == limits.max
    for wrong in [whole, *([largest * 2] if dtype != tf.float64 else [])]:
        for values in ([wrong], [0.5, -wrong]):
            with pytest.raises(RequestError, match="without loss of precision"):
                read_tensor(values, enum)


def test_float64_keeps_its_bits():
    array = np.random.default_rng(3).integers(0, 2**63, 1000).view(np.float64)
    array = array[np.isfinite(array)]
    _same(read_tensor(json.loads(_written(array)), tf.float64.as_datatype_enum), array)


def test_strings():
    values = ["a", "", 'é\n"\\', "x" * 1000]
    array = np.array([[value.encode() for value in values]], object)
    assert json.loads(_written(array)) == [values]
    assert read_tensor([values], tf.string.as_datatype_enum).tolist() == array.tolist()
    encoded = [{"b64": base64.b64encode(value).decode()} for value in array[0]]
    assert json.loads(_written(array, "image_bytes")) == [encoded]
    assert read_tensor([encoded], tf.string.as_datatype_enum).tolist() == array.tolist()
    assert read_tensor({"b64": "YQ"}, tf.string.as_datatype_enum) == b"a", "without padding"
    assert json.loads(_written(np.array([b"\xff"], object))) == [{"b64": "/w=="}], "no text"


@pytest.mark.parametrize("wrong", [{"b64": 1}, {"b64": "YQ==", "c": 1}, {}, {"b64": "Y?=="}, {"b64": "é"}, 1, "\ud800"])
def test_wrong_strings(wrong):
    with pytest.raises(RequestError):
        read_tensor(["a", wrong], tf.string.as_datatype_enum)


@given(st.recursive(st.integers(0, 3) | st.floats(width=32), lambda inner: st.lists(inner, max_size=3), max_leaves=12))
@settings(max_examples=500, deadline=None)
def test_shapes_agree_with_numpy(value):
    try:
        expected = np.array(value, np.float32)
    except ValueError:
        expected = None
    try:
        array = read_tensor(value, tf.float32.as_datatype_enum)
    except RequestError:
        assert expected is None
    else:
        assert expected is not None
        np.testing.assert_array_equal(array, expected, strict=True)


def test_rows():
    array = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert write_rows("x", tf.make_tensor_proto(array)) == ["[0.0,1.0]", "[2.0,3.0]", "[4.0,5.0]"]
    assert write_rows("x", tf.make_tensor_proto(np.array([1, 2]))) == ["1", "2"]
