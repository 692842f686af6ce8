"""Ready-made models: each composes parts. Their catalog is text, and needs no TensorFlow."""

from typing import TYPE_CHECKING

from keras_vae.utils.lazy_imports import lazy_names, public_names

if TYPE_CHECKING:
    from keras_vae.models.compose import vae as vae
    from keras_vae.models.ready_made import READY_MADE as READY_MADE
    from keras_vae.models.ready_made import ReadyMade as ReadyMade
    from keras_vae.models.ready_made import make as make

__all__ = ["READY_MADE", "ReadyMade", "make", "vae"]

_HOMES = {
    "READY_MADE": "keras_vae.models.ready_made",
    "ReadyMade": "keras_vae.models.ready_made",
    "make": "keras_vae.models.ready_made",
    "vae": "keras_vae.models.compose",
}

__getattr__ = lazy_names(__name__, _HOMES, globals())
__dir__ = public_names(__all__, globals())
