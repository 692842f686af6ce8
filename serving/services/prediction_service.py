"""TensorFlow Serving's PredictionService."""

from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2,
    regression_pb2,
)

from serving.core import inference
from serving.core.deadline import Deadline
from serving.core.lookup import find_servable, model_spec_of
from serving.core.models import Models
from serving.core.multi_inference import multi_inference
from serving.core.request_error import invalid_argument
from serving.core.servable import Servable
from serving.services.answering import Observer, unary
from serving.wire import tensors

NAME = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name
_SIGNATURE_DEF = "signature_def"


class PredictionService:
    """Answers with a model's outputs and its signatures."""

    def __init__(self, models: Models) -> None:
        """Serves models.

        Args:
            models: The models.
        """
        self._models = models

    def handler(self, observe: Observer) -> grpc.GenericRpcHandler:
        """Returns what a gRPC server needs to serve this.

        Args:
            observe: Is told of each request, once it is answered.
        """
        metadata = get_model_metadata_pb2
        methods = {
            "Predict": (self.predict, predict_pb2.PredictRequest, predict_pb2.PredictResponse),
            "GetModelMetadata": (
                self.get_model_metadata,
                metadata.GetModelMetadataRequest,
                metadata.GetModelMetadataResponse,
            ),
            "Classify": (
                self.classify,
                classification_pb2.ClassificationRequest,
                classification_pb2.ClassificationResponse,
            ),
            "Regress": (self.regress, regression_pb2.RegressionRequest, regression_pb2.RegressionResponse),
            "MultiInference": (
                self.multi_inference,
                inference_pb2.MultiInferenceRequest,
                inference_pb2.MultiInferenceResponse,
            ),
        }
        handlers = {name: unary(name, *method, observe) for name, method in methods.items()}
        return grpc.method_handlers_generic_handler(NAME, handlers)

    def predict(
        self, request: predict_pb2.PredictRequest, deadline: Deadline | None = None
    ) -> predict_pb2.PredictResponse:
        """Runs a signature.

        Args:
            request: The model, the signature and its inputs.
            deadline: Stops the work.

        Returns:
            The outputs, and the version and signature that made them.

        Raises:
            RequestError: If the request does not fit what is served, or its time is over.
            tf.errors.OpError: If a kernel refuses what it is given.
        """
        spec = model_spec_of(request)
        servable = find_servable(self._models, spec)
        signature = servable.signature(spec.signature_name)
        outputs = signature.run(request.inputs, request.output_filter, deadline)
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, spec.name, servable.version)
        response.model_spec.signature_name = signature.name
        for alias, array in outputs.items():
            tensors.to_proto(array, response.outputs[alias])
        return response

    def get_model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, deadline: Deadline | None = None
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Describes a model's signatures.

        Args:
            request: The model, and the one field that can be asked for, `signature_def`.
            deadline: Unused: there is nothing to wait for.

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

    def classify(
        self, request: classification_pb2.ClassificationRequest, deadline: Deadline | None = None
    ) -> classification_pb2.ClassificationResponse:
        """Classifies examples; see `serving.core.inference.classify`."""
        return inference.classify(self._servable(request), request, deadline)

    def regress(
        self, request: regression_pb2.RegressionRequest, deadline: Deadline | None = None
    ) -> regression_pb2.RegressionResponse:
        """Gives a value for each example; see `serving.core.inference.regress`."""
        return inference.regress(self._servable(request), request, deadline)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, deadline: Deadline | None = None
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs several tasks on the same examples; see `serving.core.multi_inference`."""
        spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
        return multi_inference(find_servable(self._models, spec), request, deadline)

    def _servable(self, request: Any) -> Servable:
        return find_servable(self._models, model_spec_of(request))


def _fill_spec(spec: model_pb2.ModelSpec, name: str, version: int) -> None:
    spec.name = name
    spec.version.value = version
