"""Training that resumes: callbacks and run directories."""

from keras_vae.training.checkpoint import Checkpoint, restore
from keras_vae.training.collapse import PosteriorCollapseWarning
from keras_vae.training.history_file import HistoryFile, read_history
from keras_vae.training.monitor import Monitor
from keras_vae.training.pictures import Pictures
from keras_vae.training.run import Run
from keras_vae.training.run_config import RunConfig

__all__ = [
    "Checkpoint",
    "HistoryFile",
    "Monitor",
    "Pictures",
    "PosteriorCollapseWarning",
    "Run",
    "RunConfig",
    "read_history",
    "restore",
]
