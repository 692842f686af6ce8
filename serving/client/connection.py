"""A client's connection to one model on one server: requests, retries and errors."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc
import numpy as np
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from serving.client.retry import call_with_retry
from serving.client.serving_error import ServingError
from serving.client.specs import SignatureSpec, format_array, read_signatures
from serving.client.target import Target
from serving.client.transport import Transport
from serving.wire import tensors

_SIGNATURE_DEF = "signature_def"
_POLL_SECONDS = 0.1


class Answer(NamedTuple):
    """A server's answer: the outputs by name, and the version that made them if the server says so."""

    outputs: dict[str, np.ndarray]
    version: int | None


class Connection:
    """Speaks TensorFlow Serving's protocol for one model."""

    def __init__(self, transport: Transport, target: Target, timeout: float) -> None:
        """Takes what it is to speak through.

        Args:
            transport: Sends the requests.
            target: The model and version to ask for.
            timeout: The seconds a request may take, retries included.
        """
        self.transport = transport
        self.target = target
        self._timeout = timeout

    async def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        version: int | None = None,
        expected: str = "",
    ) -> Answer:
        """Runs a signature.

        Args:
            signature: Its name.
            inputs: Its inputs by name, in the dtypes it takes.
            outputs: The outputs wanted; all when empty.
            version: The version that is to answer; the target's by default.
            expected: What the signature takes, for the error's words.

        Returns:
            The answer; its arrays may be read-only.

        Raises:
            ServingError: If the server does not answer with them.
        """
        request = predict_pb2.PredictRequest(model_spec=self.target.spec(signature, version), output_filter=outputs)
        for name, array in inputs.items():
            tensors.to_proto(array, request.inputs[name])
        try:
            response = await self._call("Predict", request)
        except grpc.RpcError as error:
            sent = ", ".join(f"{name} {format_array(array)}" for name, array in sorted(inputs.items()))
            raise self._error(error, signature, sent, expected) from error
        arrays = {name: tensors.to_array(proto) for name, proto in response.outputs.items()}
        return Answer(arrays, _version(response))

    async def metadata(self, timeout: float | None = None) -> tuple[dict[str, SignatureSpec], int | None]:
        """Asks what the model's signatures take and give.

        Args:
            timeout: The seconds it may take; the connection's own by default.

        Returns:
            The signatures by name, and the version they belong to.

        Raises:
            ServingError: If the server does not answer.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self.target.spec(), metadata_field=[_SIGNATURE_DEF]
        )
        try:
            response = await self._call("GetModelMetadata", request, timeout)
        except grpc.RpcError as error:
            raise self._error(error) from error
        signature_map = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[_SIGNATURE_DEF].Unpack(signature_map)
        return read_signatures(signature_map), _version(response)

    async def status(self, timeout: float | None = None) -> dict[int, str]:
        """Asks for the state of the model's versions.

        Args:
            timeout: The seconds it may take; the connection's own by default.

        Returns:
            From version to the name of its state, such as `AVAILABLE`, the newest first.

        Raises:
            ServingError: If the server does not answer.
        """
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self.target.spec())
        try:
            response = await self._call("GetModelStatus", request, timeout)
        except grpc.RpcError as error:
            raise self._error(error) from error
        state_name = get_model_status_pb2.ModelVersionStatus.State.Name
        return {status.version: state_name(status.state) for status in response.model_version_status}

    async def wait_until_ready(self, timeout: float) -> None:
        """Waits until the model, in the version asked for if any, is available.

        Args:
            timeout: The seconds to wait at most.

        Raises:
            ServingError: If it is not available by then.
        """
        deadline = time.monotonic() + timeout
        labelled = self.target.version_label is not None
        # A server that has only just begun does not know its models, or its labels, yet.
        unknown = [grpc.StatusCode.NOT_FOUND] + [grpc.StatusCode.INVALID_ARGUMENT] * labelled
        while True:
            left = max(deadline - time.monotonic(), _POLL_SECONDS)
            try:
                states = await self.status(left)
                if "AVAILABLE" in states.values():
                    if labelled:  # a status is of all versions, whatever the label
                        await self.metadata(left)
                    return
                late = ServingError(
                    grpc.StatusCode.DEADLINE_EXCEEDED, self.target.model, None, f"not available but {states}"
                )
            except ServingError as error:
                if error.code not in unknown:
                    raise
                late = error
            if time.monotonic() >= deadline:
                raise late
            await self.transport.sleep(_POLL_SECONDS)

    async def _call(self, method: str, request: Any, timeout: float | None = None) -> Any:
        async def attempt(seconds: float) -> Any:
            return await self.transport.attempt(method, request, seconds)

        return await call_with_retry(attempt, self.transport.sleep, self._timeout if timeout is None else timeout)

    def _error(
        self, error: grpc.RpcError, signature: str | None = None, sent: str = "", expected: str = ""
    ) -> ServingError:
        return ServingError(error.code(), self.target.model, signature, error.details() or "", sent, expected)


def _version(response: Any) -> int | None:
    spec = response.model_spec
    return spec.version.value if spec.HasField("version") else None
