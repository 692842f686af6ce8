"""Strategies for requests, valid and wrong in a field: Predict, GetModelMetadata and GetModelStatus."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import Message
from hypothesis import strategies as st
from serving_testing import EVENT, LATENT
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

PREDICTION, MODEL = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"
RELOAD = MODEL + "HandleReloadConfigRequest"
REQUESTS: dict[str, Any] = {
    PREDICTION + "Predict": predict_pb2.PredictRequest,
    PREDICTION + "Classify": classification_pb2.ClassificationRequest,
    PREDICTION + "Regress": regression_pb2.RegressionRequest,
    PREDICTION + "MultiInference": inference_pb2.MultiInferenceRequest,
    PREDICTION + "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
    MODEL + "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
    RELOAD: model_management_pb2.ReloadConfigRequest,
}
# What changes nothing in the server.
METHODS = [method for method in REQUESTS if method != RELOAD]

# What the tiny model's signatures take; None for the rows. `wait` is left out: it waits for ever.
FLOAT, INT64, STRING = types_pb2.DT_FLOAT, types_pb2.DT_INT64, types_pb2.DT_STRING
INPUTS: dict[str, dict[str, tuple[int, list[int | None]]]] = {
    "": {"seed": (INT64, [None])},
    "generate": {"seed": (INT64, [None])},
    "encode": {"x": (FLOAT, [None, EVENT])},
    "decode": {"z": (FLOAT, [None, LATENT])},
    "reconstruct": {"x": (FLOAT, [None, EVENT])},
    "score": {"x": (FLOAT, [None, EVENT]), "seed": (INT64, [None])},
    "multiply": {"table": (FLOAT, [None, EVENT])},
    "total": {"table": (FLOAT, [None, 2])},
    "join": {"words": (STRING, [None])},
}
_SIZES = [-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 4, 1000, 2**24, 2**31, 2**32, 2**62, 2**63 - 1]
_HUGE = 40_000


class Call(NamedTuple):
    """A method and the bytes sent to it as its message."""

    method: str
    message: bytes


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.one_of(st.sampled_from(["", "vae", "animals", "nope", "../vae", "/", "\0", "x", "z", "seed"]), texts)
versions = st.one_of(st.sampled_from([0, 1, 2, -1, 2**63 - 1, -(2**63)]), st.integers(-(2**63), 2**63 - 1))
seeds = st.integers(0, 2**20)
_counts = st.integers(0, 4)
_kinds = st.integers(0, 9)
_dims = st.lists(st.sampled_from(_SIZES), max_size=4)
_many_dims = st.integers(5, 300).map(lambda count: [1] * count)
_enums = st.one_of(st.integers(0, 30), st.sampled_from([101, 109, 121, 999, 2**31 - 1, -1, -(2**31)]))
_signatures = st.sampled_from(list(INPUTS))


def _set_values(tensor: tensor_pb2.TensorProto, shape: list[int], seed: int) -> None:
    """Fills a tensor, by its dtype; in bytes or in the typed field, whole or in short."""
    random = np.random.default_rng(seed)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    if tensor.dtype == STRING:
        tensor.string_val.extend(random.bytes(3) for _ in range(shape[0]))
    elif tensor.dtype == INT64:
        seeds = random.integers(-(2**63), 2**63 - 1, shape)
        if seed % 2:
            tensor.tensor_content = seeds.tobytes()
        else:
            tensor.int64_val.extend(seeds[: seed % 5].tolist())
    else:
        values = random.normal(0, 3, shape).astype(np.float32)
        if seed % 7 == 0 and values.size:
            values.flat[seed % values.size] = [np.nan, np.inf, -np.inf, 3e38, 1e-45][seed % 5]
        if seed % 2:
            tensor.tensor_content = values.tobytes()
        else:
            tensor.float_val.extend(values.ravel()[: seed % 16].tolist())


@st.composite
def valid_requests(draw: Callable) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "vae"
    request.model_spec.signature_name = draw(_signatures)
    rows, seed = draw(_counts), draw(seeds)
    for name, (dtype, shape) in INPUTS[request.model_spec.signature_name].items():
        tensor = request.inputs[name]
        tensor.dtype = dtype
        _set_values(tensor, [rows if size is None else size for size in shape], seed)
    return request


def _wrong_spec(draw: Callable, spec: model_pb2.ModelSpec, kind: int) -> None:
    if kind < 3:
        spec.name = draw(names)
    elif kind < 5:
        spec.version.value = draw(versions)
    elif kind < 6:
        spec.version_label = draw(names)
    elif kind < 9:
        spec.signature_name = draw(st.one_of(_signatures, names))
    else:
        spec.Clear()


def _wrong_names(draw: Callable, request: predict_pb2.PredictRequest, kind: int) -> None:
    name = draw(names)
    if kind < 3:
        request.output_filter.extend([name, "mean", "mean"][: 1 + kind])
    elif kind < 5:
        request.output_filter.extend(draw(st.lists(st.sampled_from(["mean", "scale", "z", "total"]), max_size=3)))
    elif kind < 8:
        request.inputs[name].dtype = FLOAT
    else:
        request.inputs.pop(min(request.inputs, default=name), None)


def _wrong_tensor(draw: Callable, tensor: tensor_pb2.TensorProto, kind: int) -> None:
    seed = draw(seeds)
    if kind == 0:
        tensor.dtype = draw(_enums)
    elif kind < 3:
        del tensor.tensor_shape.dim[:]
        for size in draw(_many_dims if seed % 10 == 0 else _dims):
            tensor.tensor_shape.dim.add(size=size)
    elif kind == 3:
        tensor.tensor_shape.unknown_rank = True
    elif kind == 4:
        tensor.tensor_content = (tensor.tensor_content + b"\xff" * 9)[: seed % 24]
    elif kind == 5:
        tensor.float_val.extend([1.5, float("nan")])
        tensor.string_val.append(b"\xff")
        tensor.half_val.extend([2**31 - 1, -1])
        tensor.bool_val.append(True)
    elif kind == 6:
        tensor.dtype = [STRING, types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE][seed % 3]
        tensor.string_val.append(b"1.5")
        tensor.variant_val.add(type_name=draw(texts), metadata=b"\xff")
        tensor.resource_handle_val.add(device="cpu", container="", name=draw(texts), hash_code=2**64 - 1)
    elif kind == 7:
        tensor.version_number = seed - 2**19
    elif kind == 8:
        field = ["float_val", "int64_val", "double_val", "uint64_val"][seed % 4]
        getattr(tensor, field).extend([seed] * (_HUGE if seed % 16 == 0 else 40))
    else:
        tensor.tensor_shape.dim.add(size=seed - 2**19, name="a" * (seed % 99))


@st.composite
def predict_requests(draw: Callable) -> predict_pb2.PredictRequest:
    """Valid requests, and such with up to two things wrong."""
    request = draw(valid_requests())
    for _ in range(draw(st.integers(0, 2))):
        where, kind = draw(_kinds), draw(_kinds)
        if where < 2:
            _wrong_spec(draw, request.model_spec, kind)
        elif where < 4:
            _wrong_names(draw, request, kind)
        elif request.inputs:
            _wrong_tensor(draw, request.inputs[sorted(request.inputs)[0]], kind)
    return request


@st.composite
def info_calls(draw: Callable) -> Call:
    """GetModelMetadata and GetModelStatus, mostly wrong."""
    metadata = draw(st.booleans())
    request: Any
    if metadata:
        fields = draw(st.lists(st.one_of(st.just("signature_def"), names), max_size=3))
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    else:
        request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "vae"
    for _ in range(draw(st.integers(0, 2))):
        _wrong_spec(draw, request.model_spec, draw(_kinds))
    return Call(PREDICTION + "GetModelMetadata" if metadata else MODEL + "GetModelStatus", serialized(request))


def serialized(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _predict(request: predict_pb2.PredictRequest) -> Call:
    return Call(PREDICTION + "Predict", serialized(request))


predict_calls, valid_calls = predict_requests().map(_predict), valid_requests().map(_predict)
