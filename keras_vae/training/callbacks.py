"""Callbacks of a run: pictures per epoch and a progress bar; and errors of log files that cannot be written."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.plots import pairs, tile
from keras_vae.utils.arrays import as_array


class Pictures(keras.callbacks.Callback):
    """Write samples and reconstructions to TensorBoard after each epoch.

    The seeds of the samples stay the same, so the same latents are shown in every epoch.

    Args:
        log_dir: Directory for TensorBoard.
        x: Images to reconstruct, `[n, height, width, channels]`.
        condition: Their condition, `[n, ...]`, for a conditional model; also used for the samples.
    """

    def __init__(self, log_dir: str | os.PathLike[str], x: Any, *, condition: Any = None) -> None:
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(log_dir))
        self.x = np.asarray(as_array(x, "Pictures: x"))
        self.condition = None if condition is None else np.asarray(condition)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write this epoch's pictures."""
        given = (
            {} if self.condition is None else {"condition": np.resize(self.condition, (64, *self.condition.shape[1:]))}
        )
        samples = np.asarray(self.model.sample(64, seed=0, **given))
        reconstructions = np.asarray(self.model.reconstruct(self.x, condition=self.condition))
        with self.writer.as_default(step=epoch + 1):
            tf.summary.image("samples", np.clip(tile(samples), 0, 1)[None])
            tf.summary.image("reconstructions", np.clip(tile(pairs(self.x, reconstructions)), 0, 1)[None])
        self.writer.flush()


class Progress(keras.callbacks.Callback):
    """Print one line per epoch, in nats per example; on a terminal, show a bar while the epoch runs."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's bar."""
        self.name = f"epoch {epoch + 1}/{self.params['epochs']}"
        self.bar = tqdm(
            total=self.params["steps"], desc=self.name, unit="batch", leave=False, disable=not sys.stderr.isatty()
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar."""
        self.bar.update(batch + 1 - self.bar.n)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replace the bar with the figures of the epoch."""
        self.bar.close()
        figures = "  ".join(f"{name} {value:.{digits}f}" for name, value, digits in _figures(logs or {}))
        print(f"{self.name}  {figures}", flush=True)


def _figures(logs: dict[str, Any]) -> list[tuple[str, float, int]]:
    """Return names, values and decimals; without the loss, if there is a bound."""
    names = [n for n in logs if not (n.endswith("loss") and n.replace("loss", "bound") in logs)]
    return [(n.replace("val_", "test "), float(logs[n]), 0 if n == "active_units" else 2) for n in names]


@contextlib.contextmanager
def clear_log_errors(log_dir: Path) -> Iterator[None]:
    """Convert TensorFlow's error about a summary that cannot be written to an OSError that says what to do.

    Args:
        log_dir: Directory of the summaries; other errors are raised unchanged.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if str(log_dir) not in str(error):
            raise
        full = isinstance(error, tf.errors.ResourceExhaustedError)
        reason = next((line.split("; ")[-1] for line in str(error).splitlines() if str(log_dir) in line), str(error))
        raise OSError(
            errno.ENOSPC if full else errno.EIO,
            f"{reason}: the logs in {log_dir} cannot be written; the last checkpoint is kept. Check the free disk "
            "space and the permissions of that folder, then run the same command again.",
        ) from error
