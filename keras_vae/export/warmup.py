"""Warm-up requests, which a model server replays before a version takes traffic."""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from keras_vae.export.signatures import Tensors

# Where TensorFlow Serving looks for them.
WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def write_warmup(directory: Path, model_name: str, requests: dict[str, Tensors]) -> None:
    """Write one PredictionLog for each request.

    Args:
        directory: The SavedModel's.
        model_name: Name of the model in the requests.
        requests: Inputs by signature.
    """
    file = directory / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, inputs in requests.items():
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())
