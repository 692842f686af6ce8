"""Writes the files that deploy an export on TensorFlow Serving: Docker, Kubernetes and KServe."""

from serving.deploy.bundling import bundle

__all__ = ["bundle"]
