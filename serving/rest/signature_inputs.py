"""The inputs of a model's signatures, remembered so that not every request asks for them."""

from collections.abc import Mapping
from typing import NamedTuple

from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2

from serving.core.deadline import Deadline
from serving.core.request_error import invalid_argument
from serving.rest.handlers import Handlers

_DEFAULT_SIGNATURE = "serving_default"
SIGNATURE_DEF = "signature_def"
# One for each model, version and label that clients ask for by name.
_MOST_REMEMBERED = 256


class ModelInputs(NamedTuple):
    """What one version of a model takes.

    Attributes:
        version: The version.
        signatures: The `DataType` of each input, by signature and name.
    """

    version: int
    signatures: Mapping[str, Mapping[str, int]]

    def of(self, signature: str) -> Mapping[str, int]:
        """Returns the `DataType` of each of a signature's inputs.

        Args:
            signature: The signature's name; empty for `serving_default`.

        Raises:
            RequestError: If there is no such signature, or it has no inputs.
        """
        name = signature or _DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
        if not self.signatures[name]:
            raise invalid_argument(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
        return self.signatures[name]


class SignatureInputs:
    """Asks for a model's inputs, and remembers the answer until `refresh`; may be called from any thread."""

    def __init__(self, handlers: Handlers) -> None:
        """Remembers nothing yet.

        Args:
            handlers: Whom to ask.
        """
        self._handlers = handlers
        self._remembered: dict[tuple[str, int | str | None], ModelInputs] = {}

    def recall(self, spec: model_pb2.ModelSpec) -> ModelInputs | None:
        """Returns what was found for a model before; it may be out of date."""
        return self._remembered.get(_key(spec))

    def refresh(self, spec: model_pb2.ModelSpec, deadline: Deadline | None) -> ModelInputs:
        """Asks anew.

        Args:
            spec: The model.
            deadline: Stops the work.

        Returns:
            What the version that answers now takes.

        Raises:
            RequestError: If the model is not served.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[SIGNATURE_DEF])
        request.model_spec.CopyFrom(spec)
        response = self._handlers.get_model_metadata(request, deadline)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signatures)
        found = ModelInputs(
            response.model_spec.version.value,
            {
                name: {alias: info.dtype for alias, info in definition.inputs.items()}
                for name, definition in signatures.signature_def.items()
            },
        )
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[_key(spec)] = found
        return found


def _key(spec: model_pb2.ModelSpec) -> tuple[str, int | str | None]:
    choice = spec.WhichOneof("version_choice")
    if choice is None:
        return spec.name, None
    return spec.name, spec.version.value if choice == "version" else spec.version_label
