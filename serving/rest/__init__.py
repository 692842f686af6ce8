"""TensorFlow Serving's REST interface on the methods of `serving.core`."""
