"""TensorFlow Serving's PredictionService: Predict and GetModelMetadata."""

from collections.abc import Mapping

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2,
)

from serving.core.lookup import find_servable, model_spec_of
from serving.core.request_error import invalid_argument
from serving.core.served_model import ServedModel
from serving.services.answering import unary
from serving.wire import tensors

_NAME = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name
_SIGNATURE_DEF = "signature_def"


class PredictionService:
    """Answers with a model's outputs and its signatures."""

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        """Serves models.

        Args:
            models: The models, by name.
        """
        self._models = models

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns what a gRPC server needs to serve this."""
        return grpc.method_handlers_generic_handler(
            _NAME,
            {
                "Predict": unary(self.predict, predict_pb2.PredictRequest, predict_pb2.PredictResponse),
                "GetModelMetadata": unary(
                    self.get_model_metadata,
                    get_model_metadata_pb2.GetModelMetadataRequest,
                    get_model_metadata_pb2.GetModelMetadataResponse,
                ),
            },
        )

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Runs a signature.

        Args:
            request: The model, the signature and its inputs.

        Returns:
            The outputs, and the version and signature that made them.

        Raises:
            RequestError: If the request does not fit what is served.
            tf.errors.OpError: If a kernel refuses what it is given.
        """
        spec = model_spec_of(request)
        servable = find_servable(self._models, spec)
        signature = servable.signature(spec.signature_name)
        outputs = signature.run(request.inputs, request.output_filter)
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, spec.name, servable.version)
        response.model_spec.signature_name = signature.name
        for alias, array in outputs.items():
            tensors.to_proto(array, response.outputs[alias])
        return response

    def get_model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Describes a model's signatures.

        Args:
            request: The model, and the one field that can be asked for, `signature_def`.

        Returns:
            The signatures' definitions.

        Raises:
            RequestError: If the model is not served, or another field or none is asked for.
        """
        spec = model_spec_of(request)
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise invalid_argument(f"Metadata field {field} is not supported")
        servable = find_servable(self._models, spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        _fill_spec(response.model_spec, spec.name, servable.version)
        response.metadata[_SIGNATURE_DEF].Pack(servable.signature_map)
        return response


def _fill_spec(spec: model_pb2.ModelSpec, name: str, version: int) -> None:
    spec.name = name
    spec.version.value = version
