"""Plots of data, samples, reconstructions, latents and training: each returns a matplotlib `Figure`.

Pass `path` to write the figure to a file as well. The figures are not held by pyplot, so none needs to be closed, and
a notebook shows the last one of a cell.
"""

from typing import Any

import numpy as np

from keras_vae.plots.drawing import pairs, tile, to_array
from keras_vae.plots.images import by_class, grid, reconstructions
from keras_vae.plots.latents import attribute, edit, interpolation, latent_space, manifold, traversals
from keras_vae.plots.training import history, kl
from keras_vae.utils.arguments import warn_renamed
from keras_vae.utils.deprecation import path_first
from keras_vae.utils.lazy_imports import public_names

__all__ = [
    "attribute",
    "by_class",
    "edit",
    "grid",
    "history",
    "interpolation",
    "kl",
    "latent_space",
    "manifold",
    "pairs",
    "reconstructions",
    "tile",
    "to_array",
    "traversals",
]

_PLOTS = (
    attribute,
    by_class,
    edit,
    grid,
    history,
    interpolation,
    kl,
    latent_space,
    manifold,
    reconstructions,
    traversals,
)


def _draw_kl(nats: Any) -> np.ndarray:
    warn_renamed("keras_vae.plots.draw_kl(kl)", "to_array(keras_vae.plots.kl(kl))")
    return to_array(kl(nats))


_OLD = {f"save_{plot.__name__}": path_first(plot, "keras_vae.plots") for plot in _PLOTS} | {"draw_kl": _draw_kl}
__dir__ = public_names(__all__, globals())


def __getattr__(name: str) -> Any:
    """Return a function of version 0.1, which warns when it is called."""
    if name in _OLD:
        return _OLD[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
