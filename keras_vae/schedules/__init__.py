"""Values that change while training: one schedule a file."""

from keras_vae.schedules.cyclical import Cyclical
from keras_vae.schedules.exponential import Exponential
from keras_vae.schedules.linear import Linear

__all__ = ["Cyclical", "Exponential", "Linear"]
