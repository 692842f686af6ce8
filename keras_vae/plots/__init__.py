"""Pictures of data, samples, reconstructions and latents: one kind a file."""

from keras_vae.plots.drawing import pairs, tile
from keras_vae.plots.images import save_by_class, save_grid, save_reconstructions
from keras_vae.plots.latents import (
    save_attribute,
    save_edit,
    save_interpolation,
    save_latent_space,
    save_manifold,
    save_traversals,
)
from keras_vae.plots.training import draw_kl, save_history, save_kl

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
