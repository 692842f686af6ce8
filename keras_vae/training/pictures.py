"""Pictures for TensorBoard while a model trains."""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.plots import pairs, tile


class Pictures(keras.callbacks.Callback):
    """Write samples and reconstructions to TensorBoard after each epoch.

    The samples' seeds stay the same, so that one sees the same latents improve.

    Args:
        log_dir: TensorBoard's directory.
        x: Images to reconstruct, `[n, height, width, channels]`.
        condition: Their y, `[n, ...]`, for a conditional model; the samples are given the same.
    """

    def __init__(self, log_dir: str | os.PathLike[str], x: Any, condition: Any = None) -> None:
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(log_dir))
        self.x = np.asarray(x)
        self.condition = None if condition is None else np.asarray(condition)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write this epoch's pictures."""
        given = (
            {} if self.condition is None else {"condition": np.resize(self.condition, (64, *self.condition.shape[1:]))}
        )
        samples = np.asarray(self.model.sample(64, seed=0, **given))
        reconstructions = np.asarray(self.model.reconstruct(self.x, self.condition))
        with self.writer.as_default(step=epoch + 1):
            tf.summary.image("samples", np.clip(tile(samples), 0, 1)[None])
            tf.summary.image("reconstructions", np.clip(tile(pairs(self.x, reconstructions)), 0, 1)[None])
        self.writer.flush()
