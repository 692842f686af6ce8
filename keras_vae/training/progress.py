"""Progress of training, for people."""

import sys
from typing import Any

import keras
from tqdm import tqdm


class Progress(keras.callbacks.Callback):
    """Show one line an epoch, in nats per example; on a terminal with a bar while the epoch runs."""

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
        """Replace the bar by the epoch's figures."""
        self.bar.close()
        figures = "  ".join(f"{name} {value:.{digits}f}" for name, value, digits in _figures(logs or {}))
        print(f"{self.name}  {figures}", flush=True)


def _figures(logs: dict[str, Any]) -> list[tuple[str, float, int]]:
    """Return names, figures and their decimals; without the loss, where it is about the negative bound."""
    names = [n for n in logs if not (n.endswith("loss") and n.replace("loss", "bound") in logs)]
    return [(n.replace("val_", "test "), float(logs[n]), 0 if n == "active_units" else 2) for n in names]
