"""The page of `keras-vae explore`: a small server, what it asks of a model, and the page itself."""

from keras_vae.explore.explorer import Explorer
from keras_vae.explore.server import ExploreServer
from keras_vae.explore.sources import ExportSource, InputSpec, ModelSource, Source, SourceError

__all__ = ["ExploreServer", "Explorer", "ExportSource", "InputSpec", "ModelSource", "Source", "SourceError"]
