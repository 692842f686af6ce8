"""Finds the model and version that a request's `ModelSpec` asks for."""

from typing import Any

from tensorflow_serving.apis import model_pb2

from serving.core.errors import invalid_argument, not_found
from serving.core.models import Models
from serving.core.servable import Servable


def model_spec_of(request: Any) -> model_pb2.ModelSpec:
    """Returns a request's `ModelSpec`.

    Raises:
        RequestError: If it has none.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return request.model_spec


def version_of(models: Models, spec: model_pb2.ModelSpec) -> int | None:
    """Returns the version a spec asks for by number or label; None if it names neither.

    Raises:
        RequestError: If the model has no such label.
    """
    choice = spec.WhichOneof("version_choice")
    if choice == "version_label":
        model = models.get(spec.name)
        labels = model.labels if model is not None else {}
        if spec.version_label not in labels:
            raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
        return labels[spec.version_label]
    return spec.version.value if choice == "version" else None


def find_servable(models: Models, spec: model_pb2.ModelSpec) -> Servable:
    """Finds the version of a model that answers a request.

    Args:
        models: The models served.
        spec: The model's name and, to ask for one version, its number or label.

    Returns:
        The version asked for, or the newest one served.

    Raises:
        RequestError: If the spec names no model, or one that is not served.
    """
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    version = version_of(models, spec)
    model = models.get(spec.name)
    servable = model.servable(version) if model else None
    if servable is None:
        query = f"Latest({spec.name})" if version is None else f"Specific({spec.name}, {version})"
        raise not_found(f"Servable not found for request: {query}")
    return servable
