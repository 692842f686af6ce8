"""What the serving tests share: a tiny model, raw requests and waiting."""

import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

EVENT, LATENT = 3, 2
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -3.0]], np.float32)
SEEDS = np.array([0, 1, 7, 2**62], np.int64)


def _signature(*specs: tuple[str, list[int | None], tf.DType]) -> Callable:
    return tf.function(input_signature=[tf.TensorSpec(shape, dtype, name) for name, shape, dtype in specs])


class TinyModel(tf.Module):
    """Has the signatures of an exported variational autoencoder, and some that serve only to test."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        weights = np.arange(1, EVENT * LATENT + 1, dtype=np.float32).reshape(EVENT, LATENT)
        self.weights = tf.Variable(factor * weights)

    @_signature(("x", [None, EVENT], tf.float32))
    def encode(self, x):
        mean = tf.matmul(x, self.weights)
        return {"mean": mean, "scale": tf.exp(-tf.abs(mean))}

    @_signature(("z", [None, LATENT], tf.float32))
    def decode(self, z):
        logits = tf.matmul(z, self.weights, transpose_b=True)
        return {"mean": tf.sigmoid(logits), "logits": logits}

    @_signature(("seed", [None], tf.int64))
    def generate(self, seed):
        point = tf.cast(seed % 1000, tf.float32)
        z = tf.stack([tf.sin(point), tf.cos(point)], axis=1)
        return {"mean": self.decode(z)["mean"], "z": z}

    @_signature(("x", [None, EVENT], tf.float32))
    def reconstruct(self, x):
        return {"mean": self.decode(self.encode(x)["mean"])["mean"]}

    @_signature(("x", [None, EVENT], tf.float32), ("seed", [None], tf.int64))
    def score(self, x, seed):
        return {"log_likelihood_bound": -tf.reduce_sum(x * x, axis=1) - tf.cast(seed, tf.float32)}

    @_signature(("table", [None, None], tf.float32))
    def multiply(self, table):
        return {"product": tf.matmul(table, self.weights)}

    @_signature(("table", [None, None], tf.float32))
    def total(self, table):
        return {"total": tf.reduce_sum(table)}

    @_signature(("words", [None], tf.string))
    def join(self, words):
        return {"joined": tf.strings.join([words, words], "-"), "count": tf.size(words)}

    @_signature(("begun", [], tf.string), ("go", [], tf.string))
    def wait(self, begun, go):
        """Writes the file `begun`, then answers once there is a file `go`."""
        tf.io.write_file(begun, "")
        looks = tf.constant(0)
        while tf.size(tf.io.matching_files(go)) == 0:
            looks += 1
        # Without `looks` among the outputs the loop would be optimised away.
        return {"first_weight": self.weights[0, 0], "looks": looks}


SIGNATURES = ["encode", "decode", "generate", "reconstruct", "score", "multiply", "total", "join", "wait"]


def export(factor: float, path: Path) -> None:
    model = TinyModel(factor)
    signatures = {name: getattr(model, name) for name in SIGNATURES}
    tf.saved_model.save(model, str(path), signatures | {"serving_default": model.generate})


def publish(exported: Path, base_path: Path, version: int) -> None:
    """Publishes a complete version with one rename, as a careful exporter does."""
    base_path.mkdir(exist_ok=True)
    shutil.copytree(exported, base_path / "copying")
    (base_path / "copying").rename(base_path / str(version))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    """Polls until a condition holds, and returns what it gave."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


def predict_request(signature: str = "", model: str = "vae", **inputs: Any) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def metadata_request(*fields: str, model: str = "vae") -> get_model_metadata_pb2.GetModelMetadataRequest:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = model
    return request


def status_request(model: str = "vae", version: int | None = None) -> get_model_status_pb2.GetModelStatusRequest:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    return request


class Stubs:
    """TensorFlow Serving's own stubs, and one that sends bytes as they are."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.predict = prediction.Predict
        self.metadata = prediction.GetModelMetadata
        self.classify = prediction.Classify
        self.status = model_service_pb2_grpc.ModelServiceStub(self.channel).GetModelStatus
        self.raw_predict = self.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")


def refusal(rpc: Callable, request: Any) -> tuple[grpc.StatusCode, str]:
    """Calls, and returns the code and words of the error that must come back."""
    with pytest.raises(grpc.RpcError) as caught:
        rpc(request, timeout=30)
    return caught.value.code(), caught.value.details()
