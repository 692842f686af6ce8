"""What each latent does."""

import os
from typing import Any

import numpy as np

from keras_vae.latent import traverse
from keras_vae.latent.codes import for_rows
from keras_vae.plots.drawing import labelled_grid, number, save


def save_traversals(
    path: str | os.PathLike[str], model: Any, x: Any, latents: int = 10, *, condition: Any = None
) -> None:
    """Save what each latent does: one image's latents changed one at a time, from −3 to 3.

    The latents shown are those whose posterior mean varies most over `x` (Burda, Grosse & Salakhutdinov 2016:
    a latent is active if that variance is above 0.01).

    Args:
        path: Where to.
        model: A VAE of images, its latent a vector.
        x: Images, `[n, height, width, channels]`; the first is changed.
        latents: How many latents to show, at most.
        condition: Of x, one label or vector for all or one for each; for a conditional model.
    """
    x = np.asarray(x)
    known = for_rows(model, condition, len(x), "save_traversals")
    of_first = None if known is None else known[0]
    found = traverse(model, x[0], latents=latents, reference=x, condition=of_first, reference_condition=known)
    assert found.activity is not None
    figure, _ = labelled_grid(
        found.images,
        rows=[f"$z_{{{latent}}}$  {moved:.2f}" for latent, moved in zip(found.latents, found.activity, strict=True)],
        columns=[number(value, ".1f") for value in found.values],
        title="One latent changed at a time (beside its name: variance of its posterior mean)",
    )
    save(figure, path)
