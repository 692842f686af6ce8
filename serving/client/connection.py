"""A client's connection to one model on one server: requests, retries and errors."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.client.retry import call_with_retry
from serving.client.serving_error import ServingError
from serving.client.specs import SignatureSpec, read_signatures
from serving.wire import tensors

_OPTIONS = [
    # The server has a limit of its own; gRPC's default for what a client may receive is only 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # By default a client would wait up to minutes before it looks again for a server that restarts.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]

_SIGNATURE_DEF = "signature_def"
_POLL_SECONDS = 0.1


class Connection:
    """Speaks TensorFlow Serving's protocol for one model."""

    def __init__(self, address: str, model: str, version: int | None, timeout: float) -> None:
        """Opens a channel, which connects when it is first used.

        Args:
            address: The server's host and port.
            model: The model's name.
            version: The version to ask for; None for the latest.
            timeout: The seconds a call may take, retries included.
        """
        self.model = model
        self._version = version
        self._timeout = timeout
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], int]:
        """Runs a signature.

        Args:
            signature: Its name.
            inputs: Its inputs by name, in the dtypes it takes.
            outputs: The outputs wanted; all when empty.

        Returns:
            The outputs by name, and the version that made them.

        Raises:
            ServingError: If the server does not answer with them.
        """
        request = predict_pb2.PredictRequest(model_spec=self._spec(signature), output_filter=outputs)
        for name, array in inputs.items():
            tensors.to_proto(array, request.inputs[name])
        response = self._call(self._prediction.Predict, request, signature)
        # A view of the message's bytes cannot be written to, and callers expect arrays that can.
        arrays = {
            name: np.require(tensors.to_array(proto), requirements="W") for name, proto in response.outputs.items()
        }
        return arrays, response.model_spec.version.value

    def metadata(self) -> tuple[dict[str, SignatureSpec], int]:
        """Asks what the model's signatures take and give.

        Returns:
            The signatures by name, and the version they belong to.

        Raises:
            ServingError: If the server does not answer.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec(), metadata_field=[_SIGNATURE_DEF]
        )
        response = self._call(self._prediction.GetModelMetadata, request)
        signature_map = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[_SIGNATURE_DEF].Unpack(signature_map)
        return read_signatures(signature_map), response.model_spec.version.value

    def status(self, timeout: float | None = None) -> dict[int, str]:
        """Asks for the state of the model's versions.

        Args:
            timeout: The seconds it may take; the connection's own by default.

        Returns:
            From version to the name of its state, such as `AVAILABLE`, the newest first.

        Raises:
            ServingError: If the server does not answer.
        """
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec())
        response = self._call(self._models.GetModelStatus, request, timeout=timeout)
        state_name = get_model_status_pb2.ModelVersionStatus.State.Name
        return {status.version: state_name(status.state) for status in response.model_version_status}

    def wait_until_ready(self, timeout: float) -> None:
        """Waits until the model, in the version asked for if any, is available.

        Args:
            timeout: The seconds to wait at most.

        Raises:
            ServingError: If it is not available by then.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                states = self.status(max(deadline - time.monotonic(), _POLL_SECONDS))
                if "AVAILABLE" in states.values():
                    return
                late = ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, self.model, None, f"not available but {states}")
            except ServingError as error:
                # A server that has only just begun does not know its models yet.
                if error.code is not grpc.StatusCode.NOT_FOUND:
                    raise
                late = error
            if time.monotonic() >= deadline:
                raise late
            time.sleep(_POLL_SECONDS)

    def _spec(self, signature: str = "") -> model_pb2.ModelSpec:
        spec = model_pb2.ModelSpec(name=self.model, signature_name=signature)
        if self._version is not None:
            spec.version.value = self._version
        return spec

    def _call(
        self,
        rpc: Callable[..., Any],
        request: Any,
        signature: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        try:
            return call_with_retry(rpc, request, self._timeout if timeout is None else timeout)
        except grpc.RpcError as error:
            raise ServingError(error.code(), self.model, signature, error.details() or "") from error
