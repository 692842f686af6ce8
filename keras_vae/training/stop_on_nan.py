"""Stopping before a broken model replaces a good one."""

import math
from typing import Any

import keras


class StopOnNaN(keras.callbacks.Callback):
    """Raise an error at the end of an epoch whose loss is not finite; put it before `Checkpoint`.

    The loss is a running mean, so a NaN in any batch shows in it.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the epoch's loss.

        Raises:
            ValueError: If it is NaN or infinite.
        """
        terms = {name: float(value) for name, value in (logs or {}).items() if not name.startswith("val_")}
        if not math.isfinite(terms.get("loss", 0.0)):
            raise ValueError(
                f"the loss became {terms['loss']} in epoch {epoch + 1} ({terms}); the epochs before are kept. A "
                "smaller learning rate is the usual cure"
            )
