"""Files that take an export to TensorFlow Serving in production."""
