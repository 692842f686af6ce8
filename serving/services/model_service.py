"""TensorFlow Serving's ModelService."""

from collections.abc import Callable

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_service_pb2

from serving.core.deadline import Deadline
from serving.core.lookup import model_spec_of, version_of
from serving.core.models import Models
from serving.core.request_error import RequestError, invalid_argument, not_found
from serving.services.answering import Observer, unary

NAME = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name


class ModelService:
    """Answers with the state of a model's versions, and takes new lists of models."""

    def __init__(self, models: Models, changed: Callable[[], None]) -> None:
        """Reports on models.

        Args:
            models: The models.
            changed: Is called once another list of models is served.
        """
        self._models = models
        self._changed = changed

    def handler(self, observe: Observer) -> grpc.GenericRpcHandler:
        """Returns what a gRPC server needs to serve this.

        Args:
            observe: Is told of each request, once it is answered.
        """
        status, management = get_model_status_pb2, model_management_pb2
        methods = {
            "GetModelStatus": (self.get_model_status, status.GetModelStatusRequest, status.GetModelStatusResponse),
            "HandleReloadConfigRequest": (
                self.reload,
                management.ReloadConfigRequest,
                management.ReloadConfigResponse,
            ),
        }
        handlers = {name: unary(name, *method, observe) for name, method in methods.items()}
        return grpc.method_handlers_generic_handler(NAME, handlers)

    def get_model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest, deadline: Deadline | None = None
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Reports the state of one version, or of all.

        Args:
            request: The model and, if one in particular is wanted, its version or label.
            deadline: Unused: there is nothing to wait for.

        Returns:
            The versions' states, the newest first.

        Raises:
            RequestError: If there is no such model or version.
        """
        spec = model_spec_of(request)
        version = version_of(self._models, spec)
        statuses = self._models.statuses(spec.name)
        if version is not None:
            statuses = [status for status in statuses if status.version == version]
            if not statuses:
                raise not_found(f"Could not find version {version} of model {spec.name}")
        elif not statuses:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)

    def reload(
        self, request: model_management_pb2.ReloadConfigRequest, deadline: Deadline | None = None
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves another list of models, and answers once they are loaded.

        Args:
            request: The list, which replaces the whole one before.
            deadline: Unused: a change that has begun is finished.

        Returns:
            An empty status.

        Raises:
            RequestError: If the list is wrong, and nothing was changed; or with UNKNOWN, if it was taken, but a
                model in it cannot be loaded.
        """
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest."
                " Only ModelConfigList is currently supported"
            )
        problems = self._models.configure(request.config)
        self._changed()
        if problems and not self._models.all_available():
            raise RequestError(
                grpc.StatusCode.UNKNOWN,
                f"{len(problems)} servable(s) did not become available: {{{'; '.join(map(str, problems))}}}",
            )
        return model_management_pb2.ReloadConfigResponse()
