"""Pictures of latents: the latent space, manifold, traversals, interpolation, editing, attributes."""

import os
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_vae.latent import Decoded, traverse
from keras_vae.latent.codes import for_rows
from keras_vae.plots.drawing import labeled_grid, number, save

# The qualitative color maps with ten and twenty colors; more classes share a continuous one.
_PALETTES = ((10, "tab10"), (20, "tab20"))


def save_latent_space(
    path: str | os.PathLike[str], means: Any, labels: Any = None, names: Sequence[Any] | None = None
) -> None:
    """Save posterior means as points in the plane, colored by label.

    Of more than two latents it shows the first two principal components, the orthogonal directions along which the
    means vary most, and says so on the axes.

    Args:
        path: Where to.
        means: Posterior means, `[n, latents]`, such as `model.encode(x)["mean"]`.
        labels: One for each, integers or strings; one color without.
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
        _colored(axis, points, np.asarray(labels), names, style)
    axis.set_xlabel(axis_names[0])
    axis.set_ylabel(axis_names[1])
    axis.set_aspect("equal", adjustable="datalim")
    save(figure, path)


def _plane(means: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the points and what their coordinates are."""
    if means.shape[1] == 2:
        return means, ["$z_0$", "$z_1$"]
    centered = means - means.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centered, full_matrices=False)
    share = lengths**2 / max(np.sum(lengths**2), np.finfo(float).tiny)
    names = [
        f"{which} principal component of {means.shape[1]} latents ({part:.0%} of their variance)"
        for which, part in zip(("first", "second"), share, strict=False)
    ]
    return centered @ directions[:2].T, names


def _colored(
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
    colors = matplotlib.colormaps[palette or "turbo"]
    order = np.random.default_rng(0).permutation(len(points))  # else the last class hides the others
    index = np.searchsorted(classes, labels)
    shades = [colors(i if palette else i / (len(classes) - 1)) for i in range(len(classes))]
    axis.scatter(*points[order].T, c=[shades[i] for i in index[order]], **style)
    for label, shade in zip(classes, shades, strict=True):
        axis.scatter([], [], color=shade, label=str(label if names is None else names[label]))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8, ncols=-(-len(classes) // 25))


# About as many numbers as fit below the grid.
_TICKS = 10


def save_manifold(path: str | os.PathLike[str], manifold: Decoded) -> None:
    """Save the plane of a model with two latents, which are named along the sides.

    Args:
        path: Where to.
        manifold: As `keras_vae.latent.manifold` returns it: images `[size, size, height, width, channels]` and z.

    Example:
        >>> import tempfile
        >>> plane = Decoded(np.zeros([3, 3, 8, 8, 1]), np.zeros([3, 3, 2]))
        >>> save_manifold(tempfile.mkdtemp() + "/manifold.png", plane)
    """
    images, z = manifold
    columns, rows = (_names(values) for values in (z[0, :, 0], z[:, 0, 1]))
    size = max(len(images), 8)
    figure, axis = labeled_grid(images, rows, columns, "What the two latents mean", cell=7 / size)
    axis.tick_params(labelsize=8)
    axis.set_xlabel("$z_0$")
    axis.set_ylabel("$z_1$")
    save(figure, path)


def _names(values: np.ndarray) -> list[str]:
    """Return a number for every so many images, and the empty string for the others."""
    every = -(-len(values) // _TICKS)
    return [number(value, ".1f") if i % every == 0 else "" for i, value in enumerate(values)]


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
    figure, _ = labeled_grid(
        found.images,
        rows=[f"$z_{{{latent}}}$  {moved:.2f}" for latent, moved in zip(found.latents, found.activity, strict=True)],
        columns=[number(value, ".1f") for value in found.values],
        title="One latent changed at a time (beside its name: variance of its posterior mean)",
    )
    save(figure, path)


def save_interpolation(path: str | os.PathLike[str], images: Any) -> None:
    """Save the way from one image to another, from left to right.

    Args:
        path: Where to.
        images: As `keras_vae.latent.interpolate` returns them, `[steps, height, width, channels]`; or several ways,
            one a row, `[ways, steps, height, width, channels]`.

    Example:
        >>> import tempfile
        >>> save_interpolation(tempfile.mkdtemp() + "/way.png", np.zeros([9, 28, 28, 1]))
    """
    images = np.asarray(images)
    ways = images[None] if images.ndim == 4 else images
    columns = [f"{t:.2g}" for t in np.linspace(0, 1, ways.shape[1])] if ways.ndim == 5 else ()
    figure, _ = labeled_grid(ways, columns=columns, title="From the first image (0) to the last (1)")
    save(figure, path)


def save_edit(path: str | os.PathLike[str], before: Any, after: Any, title: str = "") -> None:
    """Save images above what became of them.

    Args:
        path: Where to.
        before: `[n, height, width, channels]`: the data, or better their reconstructions, which differ from `after`
            by the edit alone.
        after: The images of `keras_vae.latent.edit`, the same shape.
        title: A line above, such as the change.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> import tempfile
        >>> save_edit(tempfile.mkdtemp() + "/edit.png", np.zeros([4, 8, 8, 1]), np.ones([4, 8, 8, 1]))
    """
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape:
        raise ValueError(
            f"save_edit: wanted as many images after as before; received shapes {before.shape} and {after.shape}"
        )
    figure, _ = labeled_grid(np.stack([before, after]), rows=["before", "after"], title=title)
    save(figure, path)


def save_attribute(path: str | os.PathLike[str], images: Any, strengths: Sequence[float], title: str = "") -> None:
    """Save images with an attribute added: one image a column, one strength a row.

    Args:
        path: Where to.
        images: As `keras_vae.latent.add_attribute` returns them, `[n, strengths, height, width, channels]`.
        strengths: The strengths, for the rows' names.
        title: A line above, such as the attribute's name.

    Example:
        >>> import tempfile
        >>> save_attribute(tempfile.mkdtemp() + "/smile.png", np.zeros([4, 3, 8, 8, 1]), [-1, 0, 1], "smile")
    """
    images = np.asarray(images)
    rows = [number(strength, "+g") if strength else "0" for strength in strengths]
    by_strength = np.swapaxes(images, 0, 1) if images.ndim == 5 else images
    figure, _ = labeled_grid(by_strength, rows, title=title)
    save(figure, path)
