"""A client's connection to one model on one server: requests and errors."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import grpc
import numpy as np

from ..wire import messages, tensors
from ..wire.protocol import SIGNATURE_DEF, in_plain_words
from .errors import ServingError
from .retry import call_with_retry
from .specs import SignatureSpec, format_array, read_signatures
from .transport import Transport

_POLL_SECONDS = 0.1


class Target(NamedTuple):
    """A model, in a version named by number or by label; the latest if neither is given."""

    model: str
    version: int | None = None
    version_label: str | None = None

    @classmethod
    def of(cls, model: str, version: int | None, version_label: str | None) -> Self:
        """Returns the target of a client.

        Args:
            model: The model's name.
            version: The version's number.
            version_label: The version's label.

        Raises:
            ValueError: If a version is named both by number and by label.
        """
        if version is not None and version_label is not None:
            raise ValueError(
                f"model {model!r}: expected a version number or a label, received version={version} and"
                f" version_label={version_label!r}. Remove one of them."
            )
        return cls(model, version, version_label)

    def spec(self, signature: str = "", version: int | None = None) -> Any:
        """Returns the target as a `ModelSpec` message.

        Args:
            signature: The signature to ask for.
            version: The version to ask for, instead of the target's own.
        """
        spec = messages.ModelSpec(name=self.model, signature_name=signature)
        number = self.version if version is None else version
        if number is not None:
            spec.version.value = number
        elif self.version_label is not None:
            spec.version_label = self.version_label
        return spec

    def __str__(self) -> str:
        return f"model {self.model!r}"


class Answer(NamedTuple):
    """A server's answer: the outputs by name, and the version that made them if the server names it."""

    outputs: dict[str, np.ndarray]
    version: int | None


class Connection:
    """Speaks TensorFlow Serving's protocol for one model."""

    def __init__(self, transport: Transport, target: Target, timeout: float) -> None:
        """Prepares to call a model; the transport connects when it is first used.

        Args:
            transport: Sends the requests.
            target: The model and version to ask for.
            timeout: The seconds a request may take, including retries.
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
            outputs: The outputs to return; all if empty.
            version: The version to ask for; the target's by default.
            expected: The signature's inputs, for error messages.

        Returns:
            The answer; its arrays may be read-only.

        Raises:
            ServingError: If the server does not answer.
        """
        request = messages.PredictRequest(model_spec=self.target.spec(signature, version), output_filter=outputs)
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
        """Asks for the inputs and outputs of the model's signatures.

        Args:
            timeout: The seconds it may take; the connection's own by default.

        Returns:
            The signatures by name, and the version they belong to.

        Raises:
            ServingError: If the server does not answer.
        """
        request = messages.GetModelMetadataRequest(model_spec=self.target.spec(), metadata_field=[SIGNATURE_DEF])
        try:
            response = await self._call("GetModelMetadata", request, timeout)
        except grpc.RpcError as error:
            raise self._error(error) from error
        signature_map = messages.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signature_map)
        return read_signatures(signature_map), _version(response)

    async def status(self, timeout: float | None = None) -> dict[int, str]:
        """Asks for the state of the model's versions.

        Args:
            timeout: The seconds it may take; the connection's own by default.

        Returns:
            The name of each version's state, such as `AVAILABLE`, newest version first.

        Raises:
            ServingError: If the server does not answer.
        """
        request = messages.GetModelStatusRequest(model_spec=self.target.spec())
        try:
            response = await self._call("GetModelStatus", request, timeout)
        except grpc.RpcError as error:
            raise self._error(error) from error
        state_name = messages.ModelVersionStatus.State.Name
        return {status.version: state_name(status.state) for status in response.model_version_status}

    async def wait_until_ready(self, timeout: float) -> None:
        """Waits until the model, in the target's version if it names one, is available.

        Args:
            timeout: The seconds to wait at most.

        Raises:
            ServingError: If it is not available by then.
        """
        deadline = time.monotonic() + timeout
        labeled = self.target.version_label is not None
        # A server that has just started does not know its models, or its labels, yet.
        unknown = [grpc.StatusCode.NOT_FOUND] + [grpc.StatusCode.INVALID_ARGUMENT] * labeled
        while True:
            left = max(deadline - time.monotonic(), _POLL_SECONDS)
            try:
                states = await self.status(left)
                if "AVAILABLE" in states.values():
                    if labeled:  # a status covers all versions and ignores the label
                        await self.metadata(left)
                    return
                late = ServingError(
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    self.target.model,
                    None,
                    f"expected an AVAILABLE version, received {states}",
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
        details = in_plain_words(error.details() or "")
        return ServingError(error.code(), self.target.model, signature, details, sent, expected)


def _version(response: Any) -> int | None:
    spec = response.model_spec
    return spec.version.value if spec.HasField("version") else None
