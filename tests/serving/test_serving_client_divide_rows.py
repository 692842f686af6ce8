"""Where a large call is cut, against the bytes of the messages themselves."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.client.connection import Target
from serving.client.divide_rows import divide_rows
from serving.client.specs import SignatureSpec, TensorSpec
from serving.wire import messages, tensors

TARGET = Target("model", None, "stable")
DTYPES = ["float32", "float64", "float16", "int8", "int64", "uint8", "uint64", "bool", "complex64", "object"]


def _spec(dtype, *sizes):
    return TensorSpec(np.dtype(dtype), sizes)


def _divide_rows(arrays, outputs, limit=100, wanted=()):
    signature = SignatureSpec({key: _spec(a.dtype, *([None] * a.ndim)) for key, a in arrays.items()}, outputs)
    return divide_rows(arrays, signature, wanted, TARGET, "signature", limit)


def _array(dtype, shape, rng):
    if dtype == "object":
        array = np.empty(shape, object)
        array.ravel()[:] = [bytes(int(length)) for length in rng.integers(0, rng.choice([4, 300]), array.size)]
        return array
    return np.frombuffer(rng.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype).reshape(shape)


def _request_bytes(arrays, rows, wanted):
    request = messages.PredictRequest(model_spec=TARGET.spec("signature", 2**63 - 1), output_filter=wanted)
    for key, array in arrays.items():
        tensors.to_proto(array[rows], request.inputs[key])
    return request.ByteSize()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 200),
    inputs=st.lists(
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(1, 4), max_size=2)), min_size=1, max_size=3
    ),
    limit=st.integers(600, 6000),
    seed=st.integers(0, 99),
)
def test_requests_stay_below_the_limit(rows, inputs, limit, seed):
    rng = np.random.default_rng(seed)
    arrays = {f"input_{i}": _array(dtype, (rows, *sizes), rng) for i, (dtype, sizes) in enumerate(inputs)}
    parts = _divide_rows(arrays, {"y": _spec("float32", None)}, limit, ["y"])
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(rows))
    for part in parts:
        assert part.stop - part.start == 1 or _request_bytes(arrays, part, ["y"]) <= limit
    for part, following in pairwise(parts):
        # Parts are no smaller than they need be.
        joined = _request_bytes(arrays, slice(part.start, following.stop), ["y"])
        assert joined > limit - 200 or 4 * (following.stop - part.start) > limit - 200


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    dtype=st.sampled_from(DTYPES[:-1]),
    sizes=st.lists(st.integers(1, 5), max_size=2),
    limit=st.integers(400, 4000),
    seed=st.integers(0, 99),
)
def test_answers_stay_below_the_limit(dtype, sizes, limit, seed):
    x = np.zeros([300, 1], np.bool_)
    parts = _divide_rows({"x": x}, {"y": _spec(dtype, None, *sizes)}, limit)
    rng = np.random.default_rng(seed)
    for part in parts[:3]:
        rows = part.stop - part.start
        array = _array(dtype, (rows, *sizes), rng)
        response = messages.PredictResponse(model_spec=TARGET.spec("signature", 2**63 - 1))
        proto = response.outputs["y"]
        tensors.to_proto(array, proto)
        in_content = response.ByteSize()
        # TensorFlow Serving writes typed fields, where integers may take more than their own size.
        proto.tensor_content = b""
        values = array.view(np.uint16) if dtype == "float16" else array
        values = array.view(np.float32) if dtype == "complex64" else values
        field = {"float32": "float_val", "float64": "double_val", "float16": "half_val", "bool": "bool_val"}
        field |= {"int64": "int64_val", "uint64": "uint64_val", "complex64": "scomplex_val"}
        getattr(proto, field.get(dtype, "int_val")).extend(values.ravel().tolist())
        assert rows == 1 or max(in_content, response.ByteSize()) <= limit


@pytest.mark.parametrize("dtype", ["float32", "object"])
def test_names_dtypes_and_sizes_count(dtype):
    arrays = {f"input_{i}": np.full([3000], b"" if dtype == "object" else 0, dtype) for i in range(6)}
    names = [f"an_output_with_a_{'very_' * 16}long_name_{i}" for i in range(3)]
    for limit in range(1000, 1030):
        parts = _divide_rows(arrays, dict.fromkeys(names, _spec("bool", None)), limit, names)
        sizes = [_request_bytes(arrays, part, names) for part in parts]
        assert limit - 200 < max(sizes) <= limit


def test_only_what_is_wanted_counts():
    x = np.zeros([50, 1], np.float32)
    outputs = {"large": _spec("float32", None, 1000), "small": _spec("float32", None)}
    assert len(_divide_rows({"x": x}, outputs, 4500)) == 50
    assert len(_divide_rows({"x": x}, outputs, 4500, ["small"])) == 1


def test_an_output_of_unknown_size_counts_as_the_input():
    x = np.zeros([10, 100], np.float32)
    assert len(_divide_rows({"x": x}, {"y": _spec("float32", None, None)}, 1000)) == len(
        _divide_rows({"x": x}, {"y": _spec("float32", None, 100)}, 1000)
    )


ROWS = np.zeros([50, 9], np.float32)
BY_ROW = {"y": _spec("float32", None)}


@pytest.mark.parametrize(
    ("arrays", "outputs", "wanted"),
    [
        ({"x": ROWS}, {"y": _spec("float32")}, ()),
        ({"x": ROWS}, {"y": _spec("float32", 50)}, ()),
        ({"x": ROWS}, {"y": TensorSpec(np.dtype("float32"), None)}, ()),
        ({"x": ROWS}, BY_ROW | {"count": _spec("int32")}, ()),
        ({"x": ROWS}, BY_ROW, ["nope"]),
        ({"x": ROWS, "scalar": np.float32(1)}, BY_ROW, ()),
        ({"x": ROWS, "other": ROWS[:7]}, BY_ROW, ()),
        ({"x": ROWS[:0]}, BY_ROW, ()),
        ({}, BY_ROW, ()),
    ],
)
def test_what_cannot_be_cut_stays_whole(arrays, outputs, wanted):
    assert _divide_rows(arrays, outputs, 100, wanted) == [slice(None)]
    assert len(_divide_rows({"x": ROWS}, BY_ROW)) == 50


def test_an_output_without_rows_that_is_not_wanted_does_not_matter():
    assert len(_divide_rows({"x": ROWS}, BY_ROW | {"count": _spec("int32")}, 100, ["y"])) == 50


def test_parts_have_at_most_the_rows_that_the_server_takes():
    x = np.zeros([10, 1], np.float32)
    signature = SignatureSpec({"x": _spec("float32", None, 1)}, {"y": _spec("float32", None, 1)})
    parts = divide_rows({"x": x}, signature, (), TARGET, "signature", 10_000, 4)
    assert parts == [slice(0, 4), slice(4, 8), slice(8, 10)]
