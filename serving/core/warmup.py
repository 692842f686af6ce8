"""Warm-up: a new version answers the requests recorded with it before it takes traffic."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.core.errors import ModelLoadError, RequestError, invalid_argument, kernel_code, kernel_message
from serving.core.inference import classify, regress
from serving.core.multi_inference import multi_inference
from serving.core.servable import Servable

_FILE = Path("assets.extra", "tf_serving_warmup_requests")
_MAX_RECORDS = 1000


def replay(path: Path, servable: Servable) -> int:
    """Answers the warm-up requests of a version: TFRecords of `PredictionLog`.

    Args:
        path: The SavedModel's directory, which may lack such a file.
        servable: The version loaded from there; it answers even if the requests name others.

    Returns:
        How many records there were.

    Raises:
        ModelLoadError: If the file cannot be read or has more than 1000 records, or if a request fails.
    """
    path = path / _FILE
    if not path.exists():
        return 0
    number = 0
    for number, record in enumerate(_records(path), 1):
        try:
            if number > _MAX_RECORDS:
                raise invalid_argument(f"Number of warmup records exceeds the maximum ({_MAX_RECORDS})")
            _answer(record, servable)
        except Exception as error:
            raise _load_error(f"warm-up record {number} of {path}", error) from error
    return number


def _records(path: Path) -> Iterator[bytes]:
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()
    except tf.errors.DataLossError as error:
        message = f"{kernel_message(error)}. Please verify your warmup data is in TFRecord format."
        raise ModelLoadError(f"{path}: {message}", kernel_code(error)) from error
    except tf.errors.OpError as error:
        raise _load_error(str(path), error) from error


def _answer(record: bytes, servable: Servable) -> None:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid_argument("Failed to parse warmup record") from error
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        servable.signature(request.model_spec.signature_name).run(request.inputs, request.output_filter)
    elif kind == "classify_log":
        classify(servable, log.classify_log.request)
    elif kind == "regress_log":
        regress(servable, log.regress_log.request)
    elif kind == "multi_inference_log":
        multi_inference(servable, log.multi_inference_log.request)
    elif kind is not None:
        raise RequestError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")


def _load_error(where: str, error: Exception) -> ModelLoadError:
    if isinstance(error, RequestError):
        code, message = error.code, error.details
    elif isinstance(error, tf.errors.OpError):
        code, message = kernel_code(error), kernel_message(error)
    else:
        code, message = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
    return ModelLoadError(f"{where}: {' '.join(message.split())}", code)
