"""Exports a VAE as a SavedModel for TensorFlow Serving, with warm-up requests, and verifies it against the model."""

import contextlib
import errno
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from keras_vae.export.signatures import Signature, Tensors, example_requests, signatures
from keras_vae.export.version_directory import whole_version
from keras_vae.utils.arguments import positive_integer

# Rounding differences between optimized graphs, by the networks' compute dtype.
_TOLERANCE = {"float64": 1e-5, "float32": 1e-4}
_LOW_PRECISION_TOLERANCE = 0.1

_ERRNOS = {os.strerror(code): code for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)}

_ADVICE = "Check that custom layers are deterministic functions of their inputs."


def export_saved_model(model: Any, path: str | os.PathLike[str], score_samples: int) -> Path:
    """Write `model` to `path`, `<base path>/<version>`; see `keras_vae.VAE.export`."""
    live = signatures(model, positive_integer(score_samples, "export: score_samples"))
    with whole_version(path) as directory, _without_chatter(), clear_write_errors(directory, Path(path)):
        archive = keras.export.ExportArchive()
        for name, signature in live.items():
            archive.add_endpoint(name, signature.function, input_signature=list(signature.inputs))
        archive.write_out(str(directory), verbose=False)
        write_warmup(directory, Path(path).parent.name, example_requests(model, 1))
        tolerance = _TOLERANCE.get(model.compute_dtype, _LOW_PRECISION_TOLERANCE)
        verify(directory, live, example_requests(model, 3), tolerance)
    return Path(path)


@contextlib.contextmanager
def clear_write_errors(directory: Path, target: Path) -> Iterator[None]:
    """Convert TensorFlow's error about a file that cannot be written to an OSError that says what to do.

    Args:
        directory: Where it writes; other errors are raised unchanged.
        target: The version that is not written then.

    Raises:
        OSError: In place of such an error.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if str(directory) not in str(error):
            raise
        reason = re.sub(r"\s*\[Op:.*", "", str(error.message), flags=re.DOTALL).rpartition("; ")[2]
        raise OSError(
            _ERRNOS.get(reason, errno.EIO),
            f"{reason}: {target} was not written, and the other versions are unchanged. Check the free disk space and"
            f" the permissions of {target.parent}, then export again.",
        ) from error


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep TensorFlow from logging the name of the temporary directory, and that it spells `z/z1` as `z_z1` inside."""
    logger, other = tf.get_logger(), logging.getLogger("absl")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    other.addFilter(_is_news)
    try:
        yield
    finally:
        logger.setLevel(level)
        other.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return "is not a valid tf.function parameter name" not in record.getMessage()


class ExportMismatchError(RuntimeError):
    """The export gives other results than the model."""


def verify(directory: Path, live: dict[str, Signature], requests: dict[str, Tensors], tolerance: float) -> None:
    """Load the SavedModel and compare the outputs of each signature with the model's.

    Args:
        directory: The directory of the SavedModel.
        live: The model's signatures.
        requests: Inputs by signature.
        tolerance: The maximum difference, relative to the output's largest value or 1, whichever is larger.

    Raises:
        ExportMismatchError: If an output differs by more, or has another name or shape.
    """
    loaded = tf.saved_model.load(str(directory)).signatures
    for name, inputs in requests.items():
        expected = tf.function(live[name].function)(*(inputs[spec.name] for spec in live[name].inputs))
        found = loaded[name](**inputs)
        if set(found) != set(expected):
            raise ExportMismatchError(
                f"signature {name!r}: expected the outputs {sorted(expected)}, received {sorted(found)}. {_ADVICE}"
            )
        for output, value in expected.items():
            _compare(f"{name}.{output}", found[output].numpy(), value.numpy(), tolerance)


def _compare(name: str, found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    if found.shape != expected.shape:
        raise ExportMismatchError(f"{name}: expected shape {expected.shape}, received {found.shape}. {_ADVICE}")
    if not np.all(np.isfinite(expected)):
        raise ExportMismatchError(
            f"{name}: expected finite values from the model, received NaN or infinity. Train the model again."
        )
    allowed = tolerance * max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    difference = float(np.max(np.abs(found - expected), initial=0.0))
    if not difference <= allowed:
        raise ExportMismatchError(
            f"{name}: expected the model's output within {allowed:.3g}, received a difference of {difference:.3g}. "
            f"{_ADVICE}"
        )


# The path that TensorFlow Serving expects.
WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def write_warmup(directory: Path, model_name: str, requests: dict[str, Tensors]) -> None:
    """Write one PredictionLog per request.

    Args:
        directory: The directory of the SavedModel.
        model_name: The model's name in the requests.
        requests: Inputs by signature.
    """
    file = directory / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, inputs in requests.items():
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())
