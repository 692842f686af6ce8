"""What answers the requests that came through REST: the same methods that answer gRPC's."""

from collections.abc import Callable
from typing import NamedTuple

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.core.deadline import Deadline


class Handlers(NamedTuple):
    """TensorFlow Serving's methods, from a request and its deadline to a response.

    Each raises `RequestError` or `tf.errors.OpError` for a request it refuses.
    """

    predict: Callable[[predict_pb2.PredictRequest, Deadline | None], predict_pb2.PredictResponse]
    classify: Callable[
        [classification_pb2.ClassificationRequest, Deadline | None], classification_pb2.ClassificationResponse
    ]
    regress: Callable[[regression_pb2.RegressionRequest, Deadline | None], regression_pb2.RegressionResponse]
    get_model_metadata: Callable[
        [get_model_metadata_pb2.GetModelMetadataRequest, Deadline | None],
        get_model_metadata_pb2.GetModelMetadataResponse,
    ]
    get_model_status: Callable[
        [get_model_status_pb2.GetModelStatusRequest, Deadline | None], get_model_status_pb2.GetModelStatusResponse
    ]
