"""A model's status and metadata as JSON."""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

_SIGNATURE_DEF = "signature_def"


def status_json(response: get_model_status_pb2.GetModelStatusResponse) -> str:
    """Writes the state of a model's versions."""
    return json_format.MessageToJson(response, always_print_fields_with_no_presence=True, indent=1)


def metadata_json(response: get_model_metadata_pb2.GetModelMetadataResponse) -> str:
    """Writes a model's signatures, which the message carries packed."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[_SIGNATURE_DEF].Unpack(signatures)
    described = {
        "model_spec": _described(response.model_spec),
        "metadata": {_SIGNATURE_DEF: _described(signatures)},
    }
    return json.dumps(described, indent=1)


def _described(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )
