"""Writing a VAE as a SavedModel that TensorFlow Serving can load."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_vae.checks import positive_integer
from keras_vae.export.signatures import example_requests, signatures
from keras_vae.export.verify import verify
from keras_vae.export.version_directory import whole_version
from keras_vae.export.warmup import write_warmup

# Rounding of a graph optimised differently, by the networks' compute dtype.
_TOLERANCE = {"float64": 1e-5, "float32": 1e-4}
_LOW_PRECISION_TOLERANCE = 0.1


def export_saved_model(model: Any, path: str | os.PathLike[str], score_samples: int) -> Path:
    """Write `model` to `path`, `<base path>/<version>`; see `keras_vae.VAE.export`."""
    live = signatures(model, positive_integer(score_samples, "export: score_samples"))
    with whole_version(path) as directory:
        archive = keras.export.ExportArchive()
        for name, signature in live.items():
            archive.add_endpoint(name, signature.function, input_signature=list(signature.inputs))
        with _without_chatter():
            archive.write_out(str(directory), verbose=False)
        write_warmup(directory, Path(path).parent.name, example_requests(model, 1))
        tolerance = _TOLERANCE.get(model.compute_dtype, _LOW_PRECISION_TOLERANCE)
        verify(directory, live, example_requests(model, 3), tolerance)
    return Path(path)


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep TensorFlow from naming the directory in which the version is made, which is gone when one reads it."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)
