"""Training that resumes: callbacks and run directories. A run's settings need no TensorFlow."""

from typing import TYPE_CHECKING

from keras_vae.utils.lazy_imports import lazy_names, public_names

if TYPE_CHECKING:
    from keras_vae.training.callbacks import Pictures as Pictures
    from keras_vae.training.checkpoint import Checkpoint as Checkpoint
    from keras_vae.training.checkpoint import HistoryFile as HistoryFile
    from keras_vae.training.checkpoint import read_history as read_history
    from keras_vae.training.checkpoint import restore as restore
    from keras_vae.training.monitor import Monitor as Monitor
    from keras_vae.training.monitor import PosteriorCollapseWarning as PosteriorCollapseWarning
    from keras_vae.training.run import Run as Run
    from keras_vae.training.run_config import RunConfig as RunConfig
    from keras_vae.training.strategy import WorkerLostError as WorkerLostError

__all__ = [
    "Checkpoint",
    "HistoryFile",
    "Monitor",
    "Pictures",
    "PosteriorCollapseWarning",
    "Run",
    "RunConfig",
    "WorkerLostError",
    "read_history",
    "restore",
]

_HOMES = {
    "Checkpoint": "keras_vae.training.checkpoint",
    "HistoryFile": "keras_vae.training.checkpoint",
    "Monitor": "keras_vae.training.monitor",
    "Pictures": "keras_vae.training.callbacks",
    "PosteriorCollapseWarning": "keras_vae.training.monitor",
    "Run": "keras_vae.training.run",
    "RunConfig": "keras_vae.training.run_config",
    "WorkerLostError": "keras_vae.training.strategy",
    "read_history": "keras_vae.training.checkpoint",
    "restore": "keras_vae.training.checkpoint",
}

__getattr__ = lazy_names(__name__, _HOMES, globals())
__dir__ = public_names(__all__, globals())
