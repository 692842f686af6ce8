"""Where the examples lie among the latents."""

import os
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_vae.plots.drawing import save

# The qualitative colour maps with ten and twenty colours; more classes share a continuous one.
_PALETTES = ((10, "tab10"), (20, "tab20"))


def save_latent_space(
    path: str | os.PathLike[str], means: Any, labels: Any = None, names: Sequence[Any] | None = None
) -> None:
    """Save posterior means as points in the plane, coloured by label.

    Of more than two latents it shows the first two principal components, the orthogonal directions along which the
    means vary most, and says so on the axes.

    Args:
        path: Where to.
        means: Posterior means, `[n, latents]`, such as `model.encode(x)["mean"]`.
        labels: One for each, integers or strings; one colour without.
        names: Of the classes 0, 1, …, for the legend; the labels themselves by default.

    Raises:
        ValueError: If there are fewer than two latents or points, or the labels or the names are not as many.

    Example:
        >>> import tempfile
        >>> rng = np.random.default_rng(0)
        >>> save_latent_space(tempfile.mkdtemp() + "/space.png", rng.normal(size=[9, 2]), [0, 1, 2] * 3)
    """
    means = np.asarray(means, np.float64)
    if means.ndim != 2 or means.shape[1] < 2 or len(means) < 2:
        raise ValueError(
            f"save_latent_space: wanted means of two or more latents, [n, latents]; received shape {means.shape}"
        )
    points, axis_names = _plane(means)
    figure = Figure(figsize=(6, 5), layout="constrained")
    axis = figure.subplots()
    style: dict[str, Any] = {"s": max(3.0, min(20.0, 2e4 / len(points))), "alpha": 0.7, "linewidths": 0}
    if labels is None:
        axis.scatter(*points.T, **style)
    else:
        _coloured(axis, points, np.asarray(labels), names, style)
    axis.set_xlabel(axis_names[0])
    axis.set_ylabel(axis_names[1])
    axis.set_aspect("equal", adjustable="datalim")
    save(figure, path)


def _plane(means: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the points and what their coordinates are."""
    if means.shape[1] == 2:
        return means, ["$z_0$", "$z_1$"]
    centred = means - means.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    share = lengths**2 / max(np.sum(lengths**2), np.finfo(float).tiny)
    names = [
        f"{which} principal component of {means.shape[1]} latents ({part:.0%} of their variance)"
        for which, part in zip(("first", "second"), share, strict=False)
    ]
    return centred @ directions[:2].T, names


def _coloured(
    axis: Any, points: np.ndarray, labels: np.ndarray, names: Sequence[Any] | None, style: dict[str, Any]
) -> None:
    if labels.shape != (len(points),):
        raise ValueError(
            f"save_latent_space: wanted a label for each of {len(points)} points; received shape {labels.shape}"
        )
    classes = np.unique(labels)
    if names is not None and (classes.dtype.kind not in "iu" or classes[0] < 0 or classes[-1] >= len(names)):
        raise ValueError(
            f"save_latent_space: names are for the classes 0 to {len(names) - 1}; received labels {classes.tolist()}"
        )
    palette = next((name for most, name in _PALETTES if len(classes) <= most), None)
    colours = matplotlib.colormaps[palette or "turbo"]
    order = np.random.default_rng(0).permutation(len(points))  # else the last class hides the others
    index = np.searchsorted(classes, labels)
    shades = [colours(i if palette else i / (len(classes) - 1)) for i in range(len(classes))]
    axis.scatter(*points[order].T, c=[shades[i] for i in index[order]], **style)
    for label, shade in zip(classes, shades, strict=True):
        axis.scatter([], [], color=shade, label=str(label if names is None else names[label]))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8, ncols=-(-len(classes) // 25))
