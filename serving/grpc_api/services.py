"""TensorFlow Serving's gRPC services: their methods by name, with the messages each takes and gives."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
    regression_pb2,
)

from serving.core.methods import Methods
from serving.core.observation import Observer
from serving.grpc_api.handlers import unary

PREDICTION_SERVICE = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name
MODEL_SERVICE = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name

# A method, its request's message class and its response's.
_Method = tuple[Callable[..., Any], Any, Any]


def prediction_service(methods: Methods, observe: Observer) -> grpc.GenericRpcHandler:
    """Returns the gRPC handler of PredictionService.

    Args:
        methods: The methods that answer the requests.
        observe: Called after each request.
    """
    metadata = get_model_metadata_pb2
    table = {
        "Predict": (methods.predict, predict_pb2.PredictRequest, predict_pb2.PredictResponse),
        "GetModelMetadata": (
            methods.get_model_metadata,
            metadata.GetModelMetadataRequest,
            metadata.GetModelMetadataResponse,
        ),
        "Classify": (
            methods.classify,
            classification_pb2.ClassificationRequest,
            classification_pb2.ClassificationResponse,
        ),
        "Regress": (methods.regress, regression_pb2.RegressionRequest, regression_pb2.RegressionResponse),
        "MultiInference": (
            methods.multi_inference,
            inference_pb2.MultiInferenceRequest,
            inference_pb2.MultiInferenceResponse,
        ),
    }
    return _service(PREDICTION_SERVICE, table, observe)


def model_service(methods: Methods, observe: Observer) -> grpc.GenericRpcHandler:
    """Returns the gRPC handler of ModelService.

    Args:
        methods: The methods that answer the requests.
        observe: Called after each request.
    """
    status, management = get_model_status_pb2, model_management_pb2
    table = {
        "GetModelStatus": (methods.get_model_status, status.GetModelStatusRequest, status.GetModelStatusResponse),
        "HandleReloadConfigRequest": (
            methods.reload_config,
            management.ReloadConfigRequest,
            management.ReloadConfigResponse,
        ),
    }
    return _service(MODEL_SERVICE, table, observe)


def _service(name: str, table: Mapping[str, _Method], observe: Observer) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        name, {method: unary(method, *row, observe) for method, row in table.items()}
    )
