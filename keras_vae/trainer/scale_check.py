"""Warnings about real data on a scale that a new network cannot learn from."""

import math
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.families.base import Family

_ROWS = 1024
# A new network's outputs are about as large as its inputs. From 30 on they reach the limits of log-variances, where the
# gradient is zero; far below 1 they are all the same.
_LARGEST, _SMALLEST = 30.0, 1e-2
# Nats per latent, mean over an epoch: no posterior that learns is so far from its prior.
_KL, _EPOCHS = 1e3, 2
_ADVICE = (
    "Use keras_vae.families.Standardized(family).adapt(x) as the likelihood (on the command line --standardize), or "
    "scale x beforehand."
)


class UnscaledDataWarning(UserWarning):
    """Warns that real data has a scale far from 1, so that training may not start to learn."""


def warn_if_unscaled(x: Any, family: Family) -> None:
    """Warn if the encoder receives values of a size far from 1, judged by the first rows of an array.

    Args:
        x: `[n, *event]`. Anything but an array passes, because reading a dataset may change it; see `ScaleWatch`.
        family: The likelihood's family; only real data can have any scale.
    """
    if not family.support.real or not isinstance(x, np.ndarray | tf.Tensor):
        return
    with tf.device("CPU:0"):
        rows = np.asarray(family.encoder_input(tf.cast(x[:_ROWS], family.variable_dtype)), np.float64)
    size, spread = math.sqrt(np.mean(rows**2)), float(np.std(rows))
    if size > _LARGEST:
        effect = "The log-variances of the posterior reach their limits, where they cannot learn"
        _warn(f"x: expected real values of a size near 1, received a root mean square of {size:.3g}. {effect}")
    elif 0 < spread < _SMALLEST:
        effect = "The encoder can hardly tell the examples apart"
        _warn(f"x: expected real values that vary by about 1, received a standard deviation of {spread:.3g}. {effect}")


class ScaleWatch(keras.callbacks.Callback):
    """Warns if the KL stays so large that the data may be unscaled: for datasets, which `fit` cannot look at first.

    The first epoch alone proves little, because its mean includes a new network's first steps.
    """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Count epochs of this call of `fit`."""
        self.seen = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the second epoch, or the only one."""
        self.seen += 1
        if self.seen != min(_EPOCHS, self.params["epochs"]):
            return
        latents = sum(math.prod(shape) for shape in self.model.latents.shapes.values())
        kl = (logs or {}).get("kl", 0.0) / latents
        if self.model.observed_family.support.real and kl > _KL:
            _warn(
                f"fit: expected a KL of a few nats per latent, received {kl:.3g} in epoch {epoch + 1}. Real data of a "
                "size far from 1 causes this"
            )


def _warn(text: str) -> None:
    warnings.warn(f"{text}. {_ADVICE}", UnscaledDataWarning, stacklevel=4)
