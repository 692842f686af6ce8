"""Runs that take a second."""

from pathlib import Path
from typing import Any

from keras_vae.training import RunConfig


def config(digits: Path, **changes: Any) -> RunConfig:
    """Return the settings of a small model on the fixture `digits`."""
    return RunConfig(**{"data": str(digits), "hidden": (16,), "latent_size": 2, "batch_size": 16, **changes})
