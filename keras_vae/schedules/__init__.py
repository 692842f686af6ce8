"""Values that change during training, one schedule per file."""

from keras_vae.schedules.cyclical import Cyclical
from keras_vae.schedules.exponential import Exponential
from keras_vae.schedules.linear import Linear

__all__ = ["Cyclical", "Exponential", "Linear"]
