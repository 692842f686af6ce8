"""Ready-made models, composed of parts."""

from keras_vae.models.compose import vae
from keras_vae.models.ready_made import READY_MADE, ReadyMade, make

__all__ = ["READY_MADE", "ReadyMade", "make", "vae"]
