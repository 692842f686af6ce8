"""TensorFlow Serving's gRPC services on the methods of `serving.core`."""
