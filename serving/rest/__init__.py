"""TensorFlow Serving's REST interface."""
