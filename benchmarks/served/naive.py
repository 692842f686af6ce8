"""The baseline of `benchmarks/serving.py`: a PredictionService as one would write it in an hour.

python benchmarks/served/naive.py BASE_PATH/1 8510
"""

import sys
from concurrent import futures

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class NaiveServicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Loads, calls, answers."""

    def __init__(self, path: str) -> None:
        self.model = tf.saved_model.load(path)
        self.function = self.model.signatures["serving_default"]

    def Predict(self, request, context):
        """Runs the default signature."""
        inputs = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in request.inputs.items()}
        response = predict_pb2.PredictResponse()
        for name, value in self.function(**inputs).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return response


def main() -> None:
    path, port = sys.argv[1:]
    server = grpc.server(futures.ThreadPoolExecutor())
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(NaiveServicer(path), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
