"""Pictures of data, samples, reconstructions and latents: one kind a file."""

from keras_vae.plots.attribute import save_attribute
from keras_vae.plots.by_class import save_by_class
from keras_vae.plots.edit import save_edit
from keras_vae.plots.grid import save_grid
from keras_vae.plots.history import save_history
from keras_vae.plots.interpolation import save_interpolation
from keras_vae.plots.kl import draw_kl, save_kl
from keras_vae.plots.latent_space import save_latent_space
from keras_vae.plots.manifold import save_manifold
from keras_vae.plots.reconstructions import save_reconstructions
from keras_vae.plots.tiles import pairs, tile
from keras_vae.plots.traversals import save_traversals

__all__ = [
    "draw_kl",
    "pairs",
    "save_attribute",
    "save_by_class",
    "save_edit",
    "save_grid",
    "save_history",
    "save_interpolation",
    "save_kl",
    "save_latent_space",
    "save_manifold",
    "save_reconstructions",
    "save_traversals",
    "tile",
]
