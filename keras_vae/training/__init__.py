"""Training: callbacks, checkpoints, monitoring, and run directories from which training resumes."""

from keras_vae.training.callbacks import Pictures
from keras_vae.training.checkpoint import Checkpoint, HistoryFile, read_history, restore
from keras_vae.training.monitor import Monitor, PosteriorCollapseWarning
from keras_vae.training.run import Run
from keras_vae.training.run_config import RunConfig
from keras_vae.training.strategy import WorkerLostError

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
