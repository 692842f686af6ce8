"""Comparing an export with the live model."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_vae.export.signatures import Signature, Tensors


class ExportMismatchError(RuntimeError):
    """The export, loaded back, does not answer as the live model does."""


def verify(directory: Path, live: dict[str, Signature], requests: dict[str, Tensors], tolerance: float) -> None:
    """Load the SavedModel and compare each signature's answers with the live model's.

    Args:
        directory: The SavedModel's.
        live: The live model's signatures.
        requests: Inputs by signature.
        tolerance: Largest difference, relative to the largest value of the output (and to 1).

    Raises:
        ExportMismatchError: If an output differs by more, or its name or shape differs at all.
    """
    loaded = tf.saved_model.load(str(directory)).signatures
    for name, inputs in requests.items():
        wanted = tf.function(live[name].function)(**inputs)
        found = loaded[name](**inputs)
        if set(found) != set(wanted):
            raise ExportMismatchError(f"{name} answers {sorted(found)}, the live model {sorted(wanted)}")
        for output, value in wanted.items():
            _compare(f"{name}.{output}", found[output].numpy(), value.numpy(), tolerance)


def _compare(name: str, found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    if found.shape != wanted.shape:
        raise ExportMismatchError(f"{name} has shape {found.shape}, the live model's {wanted.shape}")
    if not np.all(np.isfinite(wanted)):
        raise ExportMismatchError(f"{name} of the live model holds NaN or infinite values: train it anew")
    allowed = tolerance * max(1.0, float(np.max(np.abs(wanted), initial=0.0)))
    difference = float(np.max(np.abs(found - wanted), initial=0.0))
    if not difference <= allowed:
        raise ExportMismatchError(f"{name} differs from the live model's by {difference:.3g}, more than {allowed:.3g}")
