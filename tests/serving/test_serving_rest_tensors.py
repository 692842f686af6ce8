"""Tensors as JSON: numbers keep their bits, and what does not fit is refused."""

import base64
import json
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.core.errors import RequestError
from serving.rest.json_body import Constant
from serving.rest.tensor_reading import read_tensor
from serving.rest.tensor_writing import write_floats, write_rows, write_tensor

SMALL = [tf.int8, tf.int16, tf.uint8]
INTEGERS = [tf.int32, tf.int64, tf.uint32, tf.uint64]
FLOATS = [tf.float32, tf.float64]


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


def _as_cpp_writes(value: float, kind: type, digits: int) -> str:
    """WriteDecimal in TensorFlow Serving's json_tensor.cc: absl::StrCat, which is %g, or else all digits."""
    text = f"{value:g}"
    if kind(float(text)) != kind(value):
        text = f"{value:.{digits}g}"
    return text if "." in text or "e" in text else f"{text}.0"


def test_float32_is_written_as_by_tensorflow_serving():
    random = np.random.default_rng(1)
    bits = random.integers(0, 2**32, 20_000, np.uint64).astype(np.uint32).view(np.float32)
    short = [float(f"{value:.{digits}g}") for value in random.normal(0, 1e3, 500) for digits in range(1, 8)]
    edges = [s * 10.0**e * f for e in range(-45, 39) for s in (1, -1) for f in (1, 3, 9.99999, 1 - 2**-24) if e < 38]
    values = np.concatenate([bits[np.isfinite(bits)], np.float32(short), np.float32(edges), np.float32([0, 2**24])])
    values = values[np.isfinite(values)]
    wanted = [_as_cpp_writes(float(value), np.float32, 9) for value in values]
    assert write_floats(values) == wanted


def test_float64_is_written_as_by_tensorflow_serving():
    values = [0.1, 1 / 3, 1e22, 123456.0, 1234567.0, 9e6, -0.0, 2.0**53, 5e-324, 0.30000000000000004]
    wanted = [_as_cpp_writes(value, float, 17) for value in values]
    assert _written(np.array(values)) == f"[{','.join(wanted)}]"
    assert _written(np.array([np.nan, np.inf, -np.inf])) == "[NaN,Infinity,-Infinity]"


def test_numbers_look_as_tensorflow_serving_writes_them():
    values = [0.2, 1, -0.0, 9e6, 3e-5, 1e9, np.nan, np.inf, -np.inf, 16777216, 0.12345679]
    assert write_floats(values) == [
        *("0.2", "1.0", "-0.0", "9e+06", "3e-05", "1e+09", "NaN", "Infinity", "-Infinity", "16777216.0"),
        "0.123456791",
    ]


@pytest.mark.parametrize("dtype", [*FLOATS, *SMALL, *INTEGERS, tf.bool])
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


@pytest.mark.parametrize("dtype", SMALL)
def test_small_integers_are_read_as_32_bits_and_keep_the_lowest(dtype):
    """json_tensor.cc checks IsInt() alone; the tensor then takes the lowest bits."""
    values = [-(2**31), 2**31 - 1, 300, -1, 65535]
    array = read_tensor(values, dtype.as_datatype_enum)
    _same(array, np.array(values, np.int32).astype(dtype.as_numpy_dtype))
    for wrong in (2**31, 1.0, True):
        with pytest.raises(RequestError, match="not of expected type"):
            read_tensor([wrong], dtype.as_datatype_enum)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.uint16])
def test_types_without_a_json_form(dtype):
    with pytest.raises(RequestError) as caught:
        read_tensor([1], dtype.as_datatype_enum)
    assert (caught.value.code.name, caught.value.details) == (
        "UNIMPLEMENTED",
        f"Conversion of JSON Value: 1 to type: {'half' if dtype == tf.float16 else dtype.name}",
    )
    with pytest.raises(RequestError, match="Failed to write JSON value for tensor type: "):
        _written(np.ones(2, dtype.as_numpy_dtype))
    assert _written(np.ones([2, 0], dtype.as_numpy_dtype)) == "[[],[]]", "nothing to write"


def test_floats_that_no_float_holds_are_rounded():
    """api_rest.md, "Floating Point Precision"."""
    enum = tf.float32.as_datatype_enum
    assert read_tensor([1435774380, 16777217, 1e39, -(10**300), 1e-60], enum).tolist() == [
        *(1435774336.0, 16777216.0, float("inf"), float("-inf"), 0.0)
    ]
    assert read_tensor([2**53 + 1, 2**70], tf.float64.as_datatype_enum).tolist() == [2.0**53, 2.0**70]
    with pytest.raises(RequestError, match="Number too big to be stored in double"):
        read_tensor([1, 10**400], enum)


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
    assert read_tensor({"b64": " Y\nQ= =\t"}, tf.string.as_datatype_enum) == b"a", "with white space"
    as_they_are = _written(np.array([b"\xff\xc3\xa9"], object)).encode("utf-8", "surrogateescape")
    assert as_they_are == b'["\xff\xc3\xa9"]', "no text"


@pytest.mark.parametrize("wrong", [{"b64": 1}, {"b64": "YQ==", "c": 1}, {}, {"b64": "Y?=="}, {"b64": "é"}, 1, "\ud800"])
def test_wrong_strings(wrong):
    with pytest.raises(RequestError):
        read_tensor(["a", wrong], tf.string.as_datatype_enum)


_numbers = st.integers(0, 3) | st.floats(width=32).map(Constant)


@given(st.recursive(_numbers, lambda inner: st.lists(inner, max_size=3), max_leaves=12))
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
