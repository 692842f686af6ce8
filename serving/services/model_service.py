"""TensorFlow Serving's ModelService: GetModelStatus."""

from collections.abc import Mapping

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2

from serving.core.lookup import model_spec_of
from serving.core.request_error import not_found
from serving.core.served_model import ServedModel
from serving.services.answering import unary

_NAME = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name


class ModelService:
    """Answers with the state of a model's versions."""

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        """Reports on models.

        Args:
            models: The models, by name.
        """
        self._models = models

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns what a gRPC server needs to serve this."""
        return grpc.method_handlers_generic_handler(
            _NAME,
            {
                "GetModelStatus": unary(
                    self.get_model_status,
                    get_model_status_pb2.GetModelStatusRequest,
                    get_model_status_pb2.GetModelStatusResponse,
                )
            },
        )

    def get_model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Reports the state of one version, or of all.

        Args:
            request: The model and, if one in particular is wanted, its version.

        Returns:
            The versions' states, the newest first.

        Raises:
            RequestError: If there is no such model or version.
        """
        spec = model_spec_of(request)
        model = self._models.get(spec.name)
        statuses = model.statuses() if model else []
        if spec.HasField("version"):
            version = spec.version.value
            statuses = [status for status in statuses if status.version == version]
            if not statuses:
                raise not_found(f"Could not find version {version} of model {spec.name}")
        elif not statuses:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)
