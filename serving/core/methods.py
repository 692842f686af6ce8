"""TensorFlow Serving's methods, from a request message to its response: what both gRPC and REST answer with."""

from collections.abc import Callable, Sequence

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.core import inference
from serving.core.deadline import Deadline
from serving.core.errors import RequestError, invalid_argument, not_found
from serving.core.lookup import find_servable, model_spec_of, version_of
from serving.core.models import Models
from serving.core.multi_inference import multi_inference
from serving.core.servable import Servable
from serving.wire import tensors
from serving.wire.protocol import SIGNATURE_DEF

_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class Methods:
    """Answers requests about models; any thread may call any method.

    Each method may raise `RequestError`, for a request that does not fit what is served or whose time is over, and
    `tf.errors.OpError`, if a kernel refuses its input.
    """

    def __init__(self, models: Models, changed: Callable[[], None], *, as_tensor_content: bool = False) -> None:
        """Answers with models.

        Args:
            models: The models.
            changed: Called after another list of models has been taken.
            as_tensor_content: Whether `predict` answers with bytes in `tensor_content`, not with typed fields.
        """
        self._models = models
        self._changed = changed
        self._write = tensors.to_content_proto if as_tensor_content else tensors.to_typed_proto

    def find(self, spec: model_pb2.ModelSpec) -> Servable:
        """Returns the version of a model that answers a request for `spec`."""
        return find_servable(self._models, spec)

    def predict(
        self,
        request: predict_pb2.PredictRequest,
        deadline: Deadline | None = None,
        *,
        servable: Servable | None = None,
    ) -> predict_pb2.PredictResponse:
        """Runs a signature.

        Args:
            request: The model, the signature and its inputs.
            deadline: Stops the work.
            servable: The version that answers; by default the one the request asks for.

        Returns:
            The outputs, and the version and signature that made them.
        """
        spec = model_spec_of(request)
        if servable is None:
            servable = self.find(spec)
        signature = servable.signature(spec.signature_name)
        outputs = signature.run(request.inputs, request.output_filter, deadline)
        response = predict_pb2.PredictResponse()
        inference.fill_spec(response.model_spec, spec.name, servable, signature)
        for alias, array in outputs.items():
            self._write(array, response.outputs[alias])
        return response

    def classify(
        self, request: classification_pb2.ClassificationRequest, deadline: Deadline | None = None
    ) -> classification_pb2.ClassificationResponse:
        """Classifies examples; see `serving.core.inference.classify`."""
        return inference.classify(self.find(model_spec_of(request)), request, deadline)

    def regress(
        self, request: regression_pb2.RegressionRequest, deadline: Deadline | None = None
    ) -> regression_pb2.RegressionResponse:
        """Computes a value for each example; see `serving.core.inference.regress`."""
        return inference.regress(self.find(model_spec_of(request)), request, deadline)

    def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, deadline: Deadline | None = None
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs several tasks on the same examples; see `serving.core.multi_inference`."""
        spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
        return multi_inference(self.find(spec), request, deadline)

    def get_model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, deadline: Deadline | None = None
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Describes a model's signatures.

        Args:
            request: The model, and the one field that can be asked for, `signature_def`.
            deadline: Unused: there is nothing to wait for.

        Returns:
            The signatures' definitions.
        """
        spec = model_spec_of(request)
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != SIGNATURE_DEF:
                raise invalid_argument(f"Metadata field {field} is not supported")
        servable = self.find(spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = servable.version
        response.metadata[SIGNATURE_DEF].Pack(servable.signature_map)
        return response

    def get_model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest, deadline: Deadline | None = None
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Reports the state of one version, or of all.

        Args:
            request: The model and, to ask for one version, its number or label.
            deadline: Unused: there is nothing to wait for.

        Returns:
            The versions' states, newest first.
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

    def reload_config(
        self, request: model_management_pb2.ReloadConfigRequest, deadline: Deadline | None = None
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves another list of models, and answers once they are loaded.

        A list that is wrong changes nothing. If the list was taken but a model that is new in it cannot be loaded, the
        status is UNKNOWN.

        Args:
            request: The list, which replaces the whole one before.
            deadline: Unused: a change that has begun is finished.

        Returns:
            An empty status.
        """
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest."
                " Only ModelConfigList is currently supported"
            )
        before = set(self._models.names())
        problems = self._models.configure(request.config)
        self._changed()
        new = [name for name in self._models.names() if name not in before]
        unavailable = [name for name in new if self._models.get(name).servable() is None]  # type: ignore[union-attr]
        if unavailable:
            raise RequestError(grpc.StatusCode.UNKNOWN, self._why(unavailable, problems))
        return model_management_pb2.ReloadConfigResponse()

    def _why(self, names: Sequence[str], problems: Sequence[Exception]) -> str:
        """Says why models could not be loaded, in TensorFlow Serving's words, or in ours if they have no versions."""
        parts = [
            f"{{{{name: {name} version: {status.version}}} due to error: {_CODES[status.status.error_code]}:"
            f" {status.status.error_message}}}, "
            for name in names
            for status in self._models.statuses(name)
        ]
        parts = parts or [f"{problem}, " for problem in problems]
        return f"{len(parts)} model(s) did not become available: {{{''.join(parts)}}}"
