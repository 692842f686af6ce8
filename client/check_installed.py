"""Checks keras-vae-client where it is installed, without TensorFlow: `make wheel` runs this in an empty environment.

A stub of a server, made of the client's own messages, answers both clients. Exits with an error at the first surprise.
"""

import asyncio
import statistics
import subprocess
import sys
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
import keras_vae_client as kvc
import numpy as np
from keras_vae_client.wire import messages, tensors

ABSENT = ("tensorflow", "tensorflow_serving", "keras", "keras_vae", "serving")
LATENT, EVENT = 2, 3
# Small enough that a call of 50 rows is divided.
LIMIT = 1000
_TIMED_IMPORT = "import time; t = time.perf_counter(); import keras_vae_client; print(time.perf_counter() - t)"


def _float(info: Any, *sizes: int) -> None:
    info.dtype = messages.DataType.DT_FLOAT
    for size in sizes:
        info.tensor_shape.dim.add(size=size)


def _signatures() -> Any:
    signature_map = messages.SignatureDefMap()
    decode = signature_map.signature_def["decode"]
    _float(decode.inputs["z"], -1, LATENT)
    _float(decode.outputs["mean"], -1, EVENT)
    generate = signature_map.signature_def["generate"]
    generate.inputs["seed"].dtype = messages.DataType.DT_INT64
    generate.inputs["seed"].tensor_shape.dim.add(size=-1)
    _float(generate.outputs["mean"], -1, EVENT)
    _float(generate.outputs["z"], -1, LATENT)
    return signature_map


class Stub:
    """Answers for version 3 of the model `digits`, the first Predict of all with a full thread pool."""

    def __init__(self) -> None:
        self.refused = False
        self.requests = 0

    def predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Repeats z, or the seeds, in every column."""
        if not self.refused:
            self.refused = True
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        self.requests += 1
        ((_, proto),) = request.inputs.items()
        rows = tensors.to_array(proto).astype(np.float32).reshape(proto.tensor_shape.dim[0].size, -1)
        response = messages.PredictResponse()
        response.model_spec.version.value = 3
        for name, width in {"mean": EVENT, "z": LATENT}.items():
            if name in request.output_filter or (not request.output_filter and "seed" in request.inputs):
                output = response.outputs[name]
                _float(output, len(rows), width)
                output.float_val.extend(np.repeat(rows[:, :1], width, axis=1).ravel().tolist())
        return response

    def metadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Describes the signatures."""
        if request.model_spec.name != "digits":
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        response = messages.GetModelMetadataResponse()
        response.model_spec.version.value = 3
        response.metadata["signature_def"].Pack(_signatures())
        return response

    def status(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Says that version 3 is there."""
        response = messages.GetModelStatusResponse()
        response.model_version_status.add(version=3, state=messages.ModelVersionStatus.State.AVAILABLE)
        return response

    def serve(self) -> tuple[grpc.Server, int]:
        """Starts a server, and returns it and its port."""
        server = grpc.server(futures.ThreadPoolExecutor(8))
        services = {
            "PredictionService": {
                "Predict": (self.predict, messages.PredictRequest),
                "GetModelMetadata": (self.metadata, messages.GetModelMetadataRequest),
            },
            "ModelService": {"GetModelStatus": (self.status, messages.GetModelStatusRequest)},
        }
        for service, methods in services.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(
                    method,
                    request_deserializer=request.FromString,
                    response_serializer=lambda response: response.SerializeToString(),
                )
                for name, (method, request) in methods.items()
            }
            handler = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)
            server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return server, port


def _error(call: Callable[[], Any]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None


def _import_seconds() -> float:
    """Returns the median of five imports, each in a process of its own."""
    runs = [subprocess.run([sys.executable, "-c", _TIMED_IMPORT], capture_output=True, check=True) for _ in range(5)]
    return statistics.median(float(run.stdout) for run in runs)


async def _ask(client: kvc.AsyncClient) -> np.ndarray:
    async with client:
        parts = [part["mean"] async for part in client.stream("generate", {"seed": range(50)}, ["mean"])]
        return np.concatenate(parts)


def main() -> None:
    """Runs all checks, and prints what was found."""
    present = [name for name in ABSENT if name in sys.modules]
    assert not present, f"expected none of {ABSENT} to be imported, received {present}"
    stub = Stub()
    server, port = stub.serve()
    address = f"127.0.0.1:{port}"
    with kvc.Client(address, "digits", timeout=30, max_message_bytes=LIMIT) as client:
        client.wait_until_ready(30)
        assert client.status() == {3: "AVAILABLE"}
        assert sorted(client.metadata()) == ["decode", "generate"]
        mean, z = client.generate(range(50))
        assert mean.shape == (50, EVENT)
        assert z[:, 1].tolist() == list(range(50))
        assert stub.refused
        assert stub.requests > 1
        assert client.decode(np.ones([4, LATENT])).tolist() == np.ones([4, EVENT]).tolist()
        misfit = _error(lambda: client.decode(np.ones([4, LATENT + 1])))
        assert isinstance(misfit, ValueError)
        assert "expected shape [?,2], received [4,3]" in str(misfit)
    with kvc.Client(address, "letters", timeout=30) as client:
        unknown = _error(lambda: client.generate(n=1))
        assert isinstance(unknown, kvc.ServingError)
        assert unknown.code is grpc.StatusCode.NOT_FOUND
    assert asyncio.run(_ask(kvc.AsyncClient(address, "digits", timeout=30)))[:, 0].tolist() == list(range(50))
    server.stop(None).wait()
    present = [name for name in ABSENT if name in sys.modules]
    assert not present, f"expected none of {ABSENT} to be imported, received {present}"
    print(f"keras_vae_client {kvc.__version__}, {kvc.__file__}: all checks passed; import in {_import_seconds():.2f} s")


if __name__ == "__main__":
    main()
