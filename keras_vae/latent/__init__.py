"""Tools to explore latents: activity, traversals, interpolation, the manifold, edits and attribute vectors."""

from keras_vae.latent.activity import ACTIVE, activity
from keras_vae.latent.codes import Decoded
from keras_vae.latent.editing import add_attribute, attribute_vector, edit
from keras_vae.latent.interpolation import interpolate, interpolate_latents
from keras_vae.latent.manifold import manifold
from keras_vae.latent.traversal import Traversal, traverse

__all__ = [
    "ACTIVE",
    "Decoded",
    "Traversal",
    "activity",
    "add_attribute",
    "attribute_vector",
    "edit",
    "interpolate",
    "interpolate_latents",
    "manifold",
    "traverse",
]
