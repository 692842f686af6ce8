"""What the clients' tests share: a server that does what a test tells it, and one way to call either client."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

import serving

WIDTH = 8
NAMES = {"scale": ("y", "row"), "sum": ("total",), "shuffle": ("y",), "lie": ("y",), "join": ("joined",)}


class Asked(NamedTuple):
    """A Predict request as it arrived: what it asked for, its rows, its bytes and those of its answer."""

    signature: str
    version: int | None
    label: str
    rows: int
    bytes_in: int
    bytes_out: int


class ScriptedServer(
    prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer
):
    """Answers as TensorFlow Serving would for a model `m`, without one, and remembers what it was asked.

    Attributes:
        versions: Those served; the last is the latest. Answers are multiplied by their version.
        labels: From label to version.
        asked: The Predict requests that were answered.
        most: The largest number of Predict requests in flight at a time.
        before: Called with each Predict request and its context, before it is looked at.
    """

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.versions = [1]
        self.labels: dict[str, int] = {}
        self.asked: list[Asked] = []
        self.most = 0
        self.before: Callable[[Any, grpc.ServicerContext], None] = lambda request, context: None
        self._under_way = 0
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(32))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(self, self._server)
        address = "127.0.0.1:0"
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)

    def __enter__(self) -> "ScriptedServer":
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop(None).wait()

    def _version(self, spec: Any, context: grpc.ServicerContext) -> int:
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            if spec.version_label not in self.labels:
                context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.version_label}"
                )
            return self.labels[spec.version_label]
        version = spec.version.value if choice else self.versions[-1]
        if spec.name != "m" or version not in self.versions:
            wanted = f"Specific({spec.name}, {version})" if choice else f"Latest({spec.name})"
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")
        return version

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        try:
            return self._predict(request, context)
        finally:
            with self._lock:
                self._under_way -= 1

    def _predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.before(request, context)
        spec = request.model_spec
        version = self._version(spec, context)
        x = tf.make_ndarray(request.inputs["x"])
        signature = spec.signature_name
        outputs: dict[str, Any] = {
            "scale": lambda: {"y": version * np.repeat(x, WIDTH, axis=1), "row": -np.arange(len(x), dtype=np.int64)},
            "sum": lambda: {"total": x.sum()},
            "shuffle": lambda: {"y": x},
            "lie": lambda: {"y": x[:1]},
            "join": lambda: {"joined": x},
        }[signature]()
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = version
        for name in request.output_filter or outputs:
            # In typed fields, as TensorFlow Serving writes them.
            proto = response.outputs[name]
            array = np.asarray(outputs[name])
            proto.dtype = tf.as_dtype(array.dtype).as_datatype_enum
            proto.tensor_shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
            field = {"f": proto.float_val, "i": proto.int64_val, "O": proto.string_val}[array.dtype.kind]
            field.extend(array.ravel().tolist())
        pinned = spec.version.value if spec.HasField("version") else None
        with self._lock:
            self.asked.append(
                Asked(signature, pinned, spec.version_label, len(x), request.ByteSize(), response.ByteSize())
            )
        return response

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        version = self._version(request.model_spec, context)
        signature_map = get_model_metadata_pb2.SignatureDefMap()
        for signature in NAMES:
            definition = signature_map.signature_def[signature]
            dtype = tf.string if signature == "join" else tf.float32
            fill = [(definition.inputs["x"], dtype, [None] if signature == "join" else [None, 1])]
            for name in NAMES[signature]:
                shape = {"y": [None, WIDTH], "row": [None], "total": [], "joined": [None]}[name]
                fill.append((definition.outputs[name], tf.int64 if name == "row" else dtype, shape))
            for info, dtype, shape in fill:
                info.dtype = dtype.as_datatype_enum
                info.tensor_shape.CopyFrom(
                    tensor_shape_pb2.TensorShapeProto(
                        dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=-1 if size is None else size) for size in shape]
                    )
                )
        signature_map.signature_def["odd"].inputs["resource"].dtype = tf.resource.as_datatype_enum
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = version
        response.metadata["signature_def"].Pack(signature_map)
        return response

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in reversed(self.versions):
            response.model_version_status.add(
                version=version, state=get_model_status_pb2.ModelVersionStatus.State.AVAILABLE
            )
        return response


class InLoop:
    """An asynchronous client that is called as the blocking one is."""

    def __init__(self, client: serving.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *args, **options: self._loop.run_until_complete(method(*args, **options))

    def stream(self, *args: Any, **options: Any) -> Iterator[dict[str, np.ndarray]]:
        parts = self._client.stream(*args, **options)
        try:
            while True:
                try:
                    part = self._loop.run_until_complete(anext(parts))
                except StopAsyncIteration:
                    return
                yield part
        finally:
            self._loop.run_until_complete(parts.aclose())


@contextmanager
def connect(kind: str, port: int, model: str = "m", **options: Any) -> Iterator[Any]:
    """Opens a client that blocks, or one of an event loop behind the same calls."""
    address = f"127.0.0.1:{port}"
    options = {"timeout": 30} | options
    if kind == "blocking":
        with serving.Client(address, model, **options) as client:
            yield client
    else:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            client = serving.AsyncClient(address, model, **options)
            yield InLoop(client, loop)
            loop.run_until_complete(client.close())
