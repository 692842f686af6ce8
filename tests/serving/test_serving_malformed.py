"""Whatever is sent, the server answers with a status and lives on."""

import grpc
import numpy as np
import pytest
from serving_testing import SEEDS, X, predict_request, refusal
from tensorflow.core.framework import tensor_pb2, types_pb2

UNANSWERED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN}
BAD_UTF8 = b"\x0a\x03\x0a\x01\xff"


def _tensor(dtype: int, shape: list[int], **fields) -> tensor_pb2.TensorProto:
    tensor = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def _unknown_rank() -> tensor_pb2.TensorProto:
    tensor = _tensor(types_pb2.DT_FLOAT, [], float_val=[1.0])
    tensor.tensor_shape.unknown_rank = True
    return tensor


FLOAT = types_pb2.DT_FLOAT


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(tensor_pb2.TensorProto(), id="empty"),
        pytest.param(_tensor(FLOAT, [2, 2], tensor_content=b"\0" * 12), id="content too short"),
        pytest.param(_tensor(FLOAT, [2, 2], tensor_content=b"\0" * 20), id="content too long"),
        pytest.param(_tensor(FLOAT, [-1, 2], float_val=[1.0]), id="dimension of -1"),
        pytest.param(_tensor(FLOAT, [-2, -2], float_val=[1.0]), id="two negative dimensions"),
        pytest.param(_unknown_rank(), id="unknown rank"),
        pytest.param(_tensor(FLOAT, [2**62, 2**62], float_val=[1.0]), id="overflow"),
        pytest.param(_tensor(FLOAT, [10**9, 10**9], float_val=[1.0]), id="absurd"),
        pytest.param(_tensor(FLOAT, [2**24 + 1, 1], float_val=[1.0]), id="just too large to fill"),
        pytest.param(_tensor(FLOAT, [2**40, 1]), id="absurd zeros"),
        pytest.param(_tensor(FLOAT, [1] * 200, float_val=[1.0]), id="200 dimensions"),
        pytest.param(_tensor(999, [2, 2], float_val=[1.0]), id="dtype of the future"),
        pytest.param(_tensor(types_pb2.DT_VARIANT, [1]), id="variant"),
        pytest.param(_tensor(types_pb2.DT_RESOURCE, []), id="resource"),
        pytest.param(_tensor(types_pb2.DT_FLOAT_REF, [1]), id="reference"),
        pytest.param(_tensor(types_pb2.DT_STRING, [1], tensor_content=b"\x02a"), id="strings too short"),
        pytest.param(_tensor(types_pb2.DT_STRING, [1], tensor_content=b"\x01ab"), id="strings too long"),
        pytest.param(_tensor(types_pb2.DT_STRING, [1], tensor_content=b"\x81"), id="length cut off"),
        pytest.param(_tensor(types_pb2.DT_STRING, [2**50], tensor_content=b"\0\0"), id="absurd number of strings"),
    ],
)
def test_malformed_tensor(stubs, tensor):
    request = predict_request("total")
    request.inputs["table"].CopyFrom(tensor)
    code, details = refusal(stubs.predict, request)
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, "tensor parsing error: table")


@pytest.mark.parametrize("shape", [[0, 2**62], [2**62, 0]])
def test_nothing_in_an_absurd_shape(stubs, shape):
    request = predict_request("total")
    request.inputs["table"].CopyFrom(_tensor(FLOAT, shape))
    code = _code(stubs.predict, request)
    assert code in (None, grpc.StatusCode.INVALID_ARGUMENT)


def _code(rpc, request) -> grpc.StatusCode | None:
    try:
        rpc(request, timeout=60)
    except grpc.RpcError as error:
        return error.code()
    return None


def _random_tensor(random: np.random.Generator) -> tensor_pb2.TensorProto:
    sizes = [-(2**63), -3, -1, 0, 1, 2, 3, 5, 2**31, 2**63 - 1]
    chances = [0.02, 0.04, 0.04, 0.1, 0.2, 0.2, 0.2, 0.16, 0.02, 0.02]
    shape = [sizes[i] for i in random.choice(len(sizes), random.integers(0, 4), p=chances)]
    tensor = _tensor(int(random.integers(0, 30)), shape)
    if random.random() < 0.5:
        tensor.tensor_content = random.bytes(int(random.choice([0, 1, 4, 8, 12, 24, 48])))
    if random.random() < 0.5:
        tensor.float_val.extend(random.choice([0.0, 1.0, np.nan, np.inf], random.integers(0, 10)).tolist())
    if random.random() < 0.3:
        tensor.int64_val.extend(random.integers(-(2**63), 2**63 - 1, random.integers(0, 10)).tolist())
    if random.random() < 0.3:
        tensor.int_val.extend(random.integers(-(2**31), 2**31 - 1, random.integers(0, 5)).tolist())
        tensor.half_val.extend(random.integers(-(2**31), 2**31 - 1, random.integers(0, 5)).tolist())
    if random.random() < 0.3:
        tensor.string_val.extend(random.bytes(3) for _ in range(random.integers(0, 5)))
    return tensor


def test_random_requests(stubs):
    random = np.random.default_rng(3)
    signatures = ["", "encode", "decode", "generate", "reconstruct", "score", "multiply", "total", "join"]
    names = ["x", "z", "seed", "table", "words", ""]
    codes = set()
    for _ in range(300):
        request = predict_request(str(random.choice(signatures)))
        wanted = {"": ["seed"], "score": ["x", "seed"], "decode": ["z"], "generate": ["seed"], "join": ["words"]}
        fitting = wanted.get(
            request.model_spec.signature_name, ["x"] if "code" in request.model_spec.signature_name else ["table"]
        )
        for name in fitting if random.random() < 0.8 else random.choice(names, random.integers(0, 4)):
            request.inputs[str(name)].CopyFrom(_random_tensor(random))
        if random.random() < 0.2:
            request.output_filter.append(str(random.choice(["mean", "total", "\0"])))
        codes.add(_code(stubs.predict, request))
    assert not codes & UNANSWERED
    assert grpc.StatusCode.INVALID_ARGUMENT in codes
    assert grpc.StatusCode.INTERNAL not in codes
    assert stubs.predict(predict_request("encode", x=X), timeout=30).outputs


def test_random_bytes(stubs):
    random = np.random.default_rng(5)
    whole = predict_request("encode", x=X).SerializeToString()
    messages = [random.bytes(int(random.integers(0, 200))) for _ in range(100)]
    for _ in range(200):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[position] = random.integers(0, 256)
        messages.append(bytes(damaged))
    codes = {_code(stubs.raw_predict, message) for message in [BAD_UTF8, *messages]}
    assert not codes & UNANSWERED
    assert grpc.StatusCode.INVALID_ARGUMENT in codes
    assert stubs.predict(predict_request("", seed=SEEDS), timeout=30).outputs
