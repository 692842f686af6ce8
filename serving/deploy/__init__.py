"""Files that take an export to TensorFlow Serving in production."""

from serving.deploy.bundling import bundle

__all__ = ["bundle"]
