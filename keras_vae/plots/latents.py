"""Plots of latents: the latent space, the manifold, traversals, interpolations, edits, attributes."""

import os
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_vae.latent import Decoded, traverse
from keras_vae.latent.codes import for_rows
from keras_vae.plots.drawing import Plot, finished, labeled_grid, number, read
from keras_vae.utils.arguments import one_line

# The qualitative color maps with ten and twenty colors; more classes share a continuous one.
_PALETTES = ((10, "tab10"), (20, "tab20"))
# About as many numbers as fit below the grid.
_TICKS = 10


def latent_space(
    means: Any,
    labels: Any = None,
    path: str | os.PathLike[str] | None = None,
    *,
    names: Sequence[Any] | None = None,
) -> Figure:
    """Plot posterior means as points in the plane, colored by label.

    With more than two latents, the axes are the first two principal components, the orthogonal directions along which
    the means vary most, and are labeled so.

    Args:
        means: Posterior means, `[n, latents]`, such as `model.encode(x)["mean"]`.
        labels: One label per point, integers or strings; without labels all points have one color.
        path: File to write.
        names: Names of the classes 0, 1, …, for the legend; the labels themselves by default.

    Returns:
        The figure.

    Raises:
        ValueError: If there are fewer than two latents or points, or the number of labels or names is wrong.

    Example:
        >>> means = np.random.default_rng(0).normal(size=[9, 2])
        >>> latent_space(means, [0, 1, 2] * 3).axes[0].get_xlabel()
        '$z_0$'
    """
    means = read(means, "plots.latent_space: means").astype(np.float64)
    if means.ndim != 2 or means.shape[1] < 2 or len(means) < 2:
        raise ValueError(
            "plots.latent_space: means: expected two or more points of two or more latents, [n, latents], received "
            f"shape {means.shape}. Pass VAE.encode(x)['mean']."
        )
    points, axis_names = _plane(means)
    figure = Plot(figsize=(6, 5), layout="constrained")
    axis = figure.subplots()
    style: dict[str, Any] = {"s": max(3.0, min(20.0, 2e4 / len(points))), "alpha": 0.7, "linewidths": 0}
    if labels is None:
        axis.scatter(*points.T, **style)
    else:
        _colored(axis, points, _labels(labels), names, style)
    axis.set_xlabel(axis_names[0])
    axis.set_ylabel(axis_names[1])
    axis.set_aspect("equal", adjustable="datalim")
    return finished(figure, path)


def _plane(means: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the points in the plane and the labels of the axes."""
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


def _labels(labels: Any) -> np.ndarray:
    if isinstance(labels, str | os.PathLike) or not (hasattr(labels, "__array__") or isinstance(labels, list | tuple)):
        raise ValueError(
            f"plots.latent_space: labels: expected a vector of labels, received a {type(labels).__name__}. Pass a file "
            "name as path=."
        )
    return np.asarray(labels)


def _colored(
    axis: Any, points: np.ndarray, labels: np.ndarray, names: Sequence[Any] | None, style: dict[str, Any]
) -> None:
    if labels.shape != (len(points),):
        raise ValueError(
            f"plots.latent_space: labels: expected one for each of {len(points)} points, received shape "
            f"{labels.shape}. Pass a vector of labels."
        )
    classes = np.unique(labels)
    if names is not None and (classes.dtype.kind not in "iu" or classes[0] < 0 or classes[-1] >= len(names)):
        raise ValueError(
            f"plots.latent_space: labels: expected integers from 0 to {len(names) - 1}, received {classes.tolist()}. "
            "Pass one name per class."
        )
    palette = next((name for most, name in _PALETTES if len(classes) <= most), None)
    colors = matplotlib.colormaps[palette or "turbo"]
    order = np.random.default_rng(0).permutation(len(points))  # so that the last class does not hide the others
    index = np.searchsorted(classes, labels)
    shades = [colors(i if palette else i / (len(classes) - 1)) for i in range(len(classes))]
    axis.scatter(*points[order].T, c=[shades[i] for i in index[order]], **style)
    for label, shade in zip(classes, shades, strict=True):
        axis.scatter([], [], color=shade, label=str(label if names is None else names[label]))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8, ncols=-(-len(classes) // 25))


def manifold(manifold: Decoded, path: str | os.PathLike[str] | None = None) -> Figure:
    """Plot the plane of a model with two latents, with the latents on the axes.

    Args:
        manifold: As `keras_vae.latent.manifold` returns it: images `[size, size, height, width, channels]` and z.
        path: File to write.

    Returns:
        The figure.

    Example:
        >>> manifold(Decoded(np.zeros([3, 3, 8, 8, 1]), np.zeros([3, 3, 2]))).axes[0].get_ylabel()
        '$z_1$'
    """
    if not isinstance(manifold, tuple) or len(manifold) != 2:
        raise ValueError(
            f"plots.manifold: expected images and latents, received a {type(manifold).__name__}. Pass the result of "
            "keras_vae.latent.manifold."
        )
    images, z = manifold[0], read(manifold[1], "plots.manifold: z")
    if z.ndim != 3 or z.shape[2] != 2:
        raise ValueError(
            f"plots.manifold: z: expected shape [size, size, 2], received {z.shape}. Pass the result of "
            "keras_vae.latent.manifold."
        )
    columns, rows = (_names(values) for values in (z[0, :, 0], z[:, 0, 1]))
    size = max(len(images), 8)
    figure, axis = labeled_grid(images, rows, columns, "Decoded images by latent", cell=7 / size)
    axis.tick_params(labelsize=8)
    axis.set_xlabel("$z_0$")
    axis.set_ylabel("$z_1$")
    return finished(figure, path)


def _names(values: np.ndarray) -> list[str]:
    """Return a label for about ten of the values, and the empty string for the others."""
    every = -(-len(values) // _TICKS)
    return [number(value, ".1f") if i % every == 0 else "" for i, value in enumerate(values)]


def traversals(
    model: Any,
    x: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    latents: int = 10,
    group: str | None = None,
    condition: Any = None,
) -> Figure:
    """Plot what each latent does: the latents of one image changed one at a time, from −3 to 3.

    The latents shown are those whose posterior mean varies most over `x`, as `keras_vae.latent.activity` measures it.

    Args:
        model: A VAE of images with a latent vector.
        x: Images, `[n, height, width, channels]`; the first one is changed.
        path: File to write.
        latents: The largest number of latents to show.
        group: Of several groups of latents, the one to change, as in `keras_vae.latent.traverse`.
        condition: Condition of x, one label or vector for all or one per image; for a conditional model.

    Returns:
        The figure.

    Raises:
        ValueError: If x or the condition has the wrong shape.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((8, 8, 1), latent_size=3, hidden=[8])
        >>> len(traversals(vae, np.zeros([4, 8, 8, 1]), latents=2).axes[0].get_yticklabels())
        2
    """
    if not hasattr(model, "encode") or isinstance(model, str):
        raise ValueError(
            f"plots.traversals: model: expected a keras_vae.VAE, received a {type(model).__name__}. Use "
            "traversals(model, x)."
        )
    x = read(x, "plots.traversals: x")
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"plots.traversals: x: expected images, received shape {x.shape}. Pass one or more.")
    conditions = for_rows(model, condition, len(x), "plots.traversals")
    of_first = None if conditions is None else conditions[0]
    found = traverse(
        model, x[0], latents=latents, reference=x, group=group, condition=of_first, reference_condition=conditions
    )
    assert found.activity is not None
    figure, _ = labeled_grid(
        found.images,
        rows=[f"$z_{{{latent}}}$  {moved:.2f}" for latent, moved in zip(found.latents, found.activity, strict=True)],
        columns=[number(value, ".1f") for value in found.values],
        title="One latent changed at a time (next to its name: variance of its posterior mean)",
    )
    return finished(figure, path)


def interpolation(images: Any, path: str | os.PathLike[str] | None = None) -> Figure:
    """Plot the path from one image to another, from left to right.

    Args:
        images: As `keras_vae.latent.interpolate` returns them, `[steps, height, width, channels]`; or several paths,
            one per row, `[paths, steps, height, width, channels]`.
        path: File to write.

    Returns:
        The figure.

    Example:
        >>> len(interpolation(np.zeros([9, 28, 28, 1])).axes[0].get_xticklabels())
        9
    """
    images = read(images, "plots.interpolation: images")
    rows = images[None] if images.ndim == 4 else images
    columns = [f"{t:.2g}" for t in np.linspace(0, 1, rows.shape[1])] if rows.ndim == 5 else ()
    figure, _ = labeled_grid(rows, columns=columns, title="From the first image (0) to the last (1)")
    return finished(figure, path)


def edit(before: Any, after: Any, path: str | os.PathLike[str] | None = None, *, title: str = "") -> Figure:
    """Plot images above their edited versions.

    Args:
        before: `[n, height, width, channels]`: the data, or better their reconstructions, which differ from `after`
            by the edit alone.
        after: The images of `keras_vae.latent.edit`, the same shape.
        path: File to write.
        title: The title, such as the change.

    Returns:
        The figure.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> figure = edit(np.zeros([4, 8, 8, 1]), np.ones([4, 8, 8, 1]))
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['before', 'after']
    """
    before, after = read(before, "plots.edit: before"), read(after, "plots.edit: after")
    if before.shape != after.shape:
        raise ValueError(
            f"plots.edit: after: expected images of shape {before.shape}, received {after.shape}. Pass one per image "
            "before the edit."
        )
    figure, _ = labeled_grid(np.stack([before, after]), rows=["before", "after"], title=title)
    return finished(figure, path)


def attribute(
    images: Any, strengths: Sequence[float], path: str | os.PathLike[str] | None = None, *, title: str = ""
) -> Figure:
    """Plot images with an attribute added: one column per image, one row per strength.

    Args:
        images: As `keras_vae.latent.add_attribute` returns them, `[n, strengths, height, width, channels]`.
        strengths: The strengths, which name the rows.
        path: File to write.
        title: The title, such as the name of the attribute.

    Returns:
        The figure.

    Raises:
        ValueError: If the images have another shape, or there is not one strength per row.

    Example:
        >>> figure = attribute(np.zeros([4, 3, 8, 8, 1]), [-1, 0, 1], title="smile")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['−1', '0', '+1']
    """
    images = read(images, "plots.attribute: images")
    strengths = read(strengths, "plots.attribute: strengths").tolist()
    if not isinstance(strengths, list) or not all(isinstance(strength, int | float) for strength in strengths):
        raise ValueError(
            f"plots.attribute: strengths: expected a vector of numbers, received {one_line(strengths)}. Use "
            "attribute(images, strengths)."
        )
    rows = [number(strength, "+g") if strength else "0" for strength in strengths]
    by_strength = np.swapaxes(images, 0, 1) if images.ndim == 5 else images
    figure, _ = labeled_grid(by_strength, rows, title=title)
    return finished(figure, path)
