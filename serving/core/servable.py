"""One version of a model, loaded from a SavedModel."""

from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2

from serving.core.kernel_error import code_of
from serving.core.request_error import RequestError
from serving.core.signature import Signature

_TAG = "serve"
_DEFAULT_SIGNATURE = "serving_default"


class ModelLoadError(Exception):
    """A model's version cannot be served; the message is one line.

    Attributes:
        code: The status code TensorFlow Serving would report for it.
    """

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


class Servable:
    """One version of a model, ready to answer requests."""

    def __init__(self, version: int, path: Path) -> None:
        """Loads a SavedModel.

        Args:
            version: The version it is.
            path: The SavedModel's directory.

        Raises:
            ModelLoadError: If it cannot be loaded.
        """
        self.version = version
        self.signature_map = get_model_metadata_pb2.SignatureDefMap()
        try:
            # Functions do not keep the variables they read alive: the loaded object does.
            self._loaded = tf.saved_model.load(str(path), tags=[_TAG])
            for name, definition in _meta_graph(path).signature_def.items():
                self.signature_map.signature_def[name].CopyFrom(definition)
        except Exception as error:
            raise _load_error(path, error) from error
        self._signatures = {
            name: Signature(name, self.signature_map.signature_def[name], function)
            for name, function in self._loaded.signatures.items()
        }

    def signature(self, name: str) -> Signature:
        """Finds a signature.

        Args:
            name: Its name; empty for `serving_default`.

        Returns:
            The signature.

        Raises:
            RequestError: If the model has none of that name.
        """
        name = name or _DEFAULT_SIGNATURE
        if name not in self._signatures:
            raise RequestError(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return self._signatures[name]


def _meta_graph(path: Path) -> meta_graph_pb2.MetaGraphDef:
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((path / "saved_model.pb").read_bytes())
    return next(graph for graph in saved_model.meta_graphs if _TAG in graph.meta_info_def.tags)


def _load_error(path: Path, error: Exception) -> ModelLoadError:
    if isinstance(error, tf.errors.OpError):
        code = code_of(error)
    elif isinstance(error, OSError):
        code = grpc.StatusCode.NOT_FOUND
    else:
        code = grpc.StatusCode.INTERNAL
    reason = " ".join(str(error).split()) or type(error).__name__
    return ModelLoadError(f"cannot load the SavedModel in {path}: {reason}", code)
