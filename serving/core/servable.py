"""`Servable`: one version of a model, loaded from a SavedModel."""

import itertools
from collections import Counter
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2

from serving.core.batching import BatchedExecutable, Batching
from serving.core.errors import ModelLoadError, RequestError, invalid_argument, kernel_code
from serving.core.saved_model import input_specs, load_saved_model
from serving.core.signature import Signature
from serving.wire.protocol import DEFAULT_SIGNATURE

_numbers = itertools.count()


class Servable:
    """One version of a model, ready to answer requests."""

    def __init__(self, version: int, path: Path, batching: Batching | None = None) -> None:
        """Loads a SavedModel.

        Args:
            version: Its number.
            path: The SavedModel's directory.
            batching: How to batch requests; None for no batching.

        Raises:
            ModelLoadError: If it cannot be loaded.
        """
        self.version = version
        self.signature_map = get_model_metadata_pb2.SignatureDefMap()
        # Rows of two versions must never wait in one queue.
        queue = f"{next(_numbers)}/{version}"
        try:
            self._model = load_saved_model(path)
        except Exception as error:
            raise _load_error(path, error) from error
        self._signatures = {}
        self._refused = dict(self._model.refused)
        for name, definition in self._model.definitions.items():
            self.signature_map.signature_def[name].CopyFrom(definition)
            if name in self._refused:
                continue
            try:
                runner = self._model.runners[name]
                if batching is not None:
                    runner = BatchedExecutable(runner, input_specs(definition), batching, f"{queue}/{name}")
                self._signatures[name] = Signature(name, definition, runner)
            except Exception as error:
                # As in TensorFlow Serving, the others are served, and this is reported to requests for it only.
                self._refused[name] = " ".join(str(error).split())

    def signature(self, name: str) -> Signature:
        """Finds a signature.

        Args:
            name: Its name; empty for `serving_default`.

        Returns:
            The signature.

        Raises:
            RequestError: If the model has no such signature, or it cannot be run.
        """
        name = name or DEFAULT_SIGNATURE
        if name in self._refused:
            raise invalid_argument(f'Signature "{name}" cannot be run: {self._refused[name]}')
        if name not in self._signatures:
            raise RequestError(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return self._signatures[name]

    def batch_sizes(self) -> Counter[int]:
        """Returns how often a batch of each size has run."""
        return sum((signature.batch_sizes() for signature in self._signatures.values()), Counter())


def _load_error(path: Path, error: Exception) -> ModelLoadError:
    if isinstance(error, tf.errors.OpError):
        code = kernel_code(error)
    elif isinstance(error, OSError):
        code = grpc.StatusCode.NOT_FOUND
    else:
        code = grpc.StatusCode.INTERNAL
    reason = " ".join(str(error).split()) or type(error).__name__
    return ModelLoadError(f"cannot load the SavedModel in {path}: {reason}", code)
