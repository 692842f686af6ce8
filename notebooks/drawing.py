"""Figures for the assignment notebook."""

from typing import Any

import numpy as np
from matplotlib import pyplot as plt

import keras_vae as kv

_SIDE = 28
_BLUE, _ORANGE, _GRAY = "#dbe9f6", "#fde3c8", "#eeeeee"


def digits(rows: dict[str, Any], title: str = "") -> None:
    """Show rows of digits, each `[n, 784]`, with their names on the left."""
    columns = max(len(images) for images in rows.values())
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(0.62 * columns + 1.4, 0.68 * len(rows) + 0.3), squeeze=False, layout="constrained"
    )
    for axis, (name, images) in zip(axes[:, 0], rows.items(), strict=True):
        tiles = kv.plots.tile(np.asarray(images).reshape(-1, _SIDE, _SIDE, 1), columns)[..., 0]
        axis.imshow(np.clip(tiles, 0, 1), cmap="gray", vmin=0, vmax=1)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title, fontsize=11)
    plt.show()


def losses(curves: dict[str, list[float]]) -> None:
    """Plot training losses per epoch."""
    _, axis = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
    for (name, values), style in zip(curves.items(), ("-", "--"), strict=True):
        axis.plot(range(1, len(values) + 1), values, style, label=name, linewidth=2)
    axis.set_xlabel("epoch")
    axis.set_ylabel("−ELBO, nats per training digit")
    axis.legend()
    plt.show()


def estimates(samples: dict[str, np.ndarray], exact: float, label: str) -> None:
    """Plot the distribution of single estimates around the exact value."""
    _, axes = plt.subplots(1, len(samples), figsize=(10, 2.8), sharex=True, layout="constrained")
    edge = max(np.quantile(np.abs(values - exact), 0.99) for values in samples.values())
    for axis, (name, values) in zip(axes, samples.items(), strict=True):
        axis.hist(values, bins=np.linspace(exact - edge, exact + edge, 80), color="C0")
        axis.axvline(exact, color="C3", linewidth=1.5, label="exact")
        axis.set_title(f"{name}\nstandard deviation {values.std():.3f}", fontsize=10)
        axis.set_xlabel(label)
    axes[0].set_ylabel(f"count out of {len(values):,}")
    axes[0].legend()
    plt.show()


def latent_space(means: Any, labels: Any, plane: Any) -> None:
    """Plot posterior means, `[n, 2]`, by class, and the decoder's images for a grid of latents."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2), layout="constrained")
    means, labels = np.asarray(means), np.asarray(labels)
    points = left.scatter(*means.T, c=labels, cmap="tab10", vmin=-0.5, vmax=9.5, s=9)
    figure.colorbar(points, ax=left, ticks=range(10), label="class", shrink=0.8)
    left.set(title="test digits at their posterior means", xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    images, z = np.asarray(plane.images), np.asarray(plane.z)
    size = len(images)
    right.imshow(kv.plots.tile(images.reshape(-1, _SIDE, _SIDE, 1), size)[..., 0], cmap="gray", vmin=0, vmax=1)
    shown = range(0, size, 3)
    centers = [(_SIDE + 2) * i + _SIDE / 2 for i in shown]
    right.set_xticks(centers, [f"{z[0, i, 0]:.1f}" for i in shown])
    right.set_yticks(centers, [f"{z[i, 0, 1]:.1f}" for i in shown])
    right.set(title="decoder means for z", xlabel="$z_1$", ylabel="$z_2$")
    plt.show()


def computation() -> None:
    """Draw the computation graph: from x through the encoder, the noise, and the decoder to the loss."""
    _, axis = plt.subplots(figsize=(11, 3.6), layout="constrained")
    axis.set(xlim=(0, 11), ylim=(-0.1, 4))
    axis.axis("off")
    boxes = {
        name: axis.text(
            x,
            y,
            words,
            ha="center",
            va="center",
            fontsize=11,
            bbox={"boxstyle": "round,pad=0.45", "fc": color, "ec": "0.4"},
        )
        for name, (x, y, words, color) in _BOXES.items()
    }
    for start, ends in _ARROWS.items():
        for end in ends:
            axis.annotate(
                "",
                xy=_BOXES[end][:2],
                xytext=_BOXES[start][:2],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "0.3",
                    "patchA": boxes[start].get_bbox_patch(),
                    "patchB": boxes[end].get_bbox_patch(),
                },
            )
    axis.text(
        5.2,
        0.15,
        "the gradient flows from the loss to $\\phi$ through $z$; $\\epsilon$ is not on this path",
        ha="center",
        color="0.3",
    )
    plt.show()


# x, y, words, color.
_BOXES = {
    "x": (0.3, 2.4, "$x$", _GRAY),
    "encoder": (1.5, 2.4, "encoder\nweights $\\phi$", _BLUE),
    "m": (3.0, 2.4, "$m,\\ \\log s^2$", _GRAY),
    "epsilon": (4.7, 3.6, "$\\epsilon \\sim \\mathcal{N}(0, I)$", _ORANGE),
    "z": (4.7, 2.4, "$z = m + s\\odot\\epsilon$", _GRAY),
    "decoder": (6.5, 2.4, "decoder\nweights $\\theta$", _BLUE),
    "output": (7.8, 2.4, "$\\rho$ or $\\mu$", _GRAY),
    "likelihood": (9.2, 2.4, "$-\\log p(x|z)$", _BLUE),
    "kl": (7.3, 1.0, "KL$(q(z|x)\\,\\|\\,p(z))$\nequation 13", _BLUE),
    "loss": (10.5, 1.7, "loss:\n−ELBO", _ORANGE),
}
_ARROWS = {
    "x": ("encoder",),
    "encoder": ("m",),
    "m": ("z", "kl"),
    "epsilon": ("z",),
    "z": ("decoder",),
    "decoder": ("output",),
    "output": ("likelihood",),
    "likelihood": ("loss",),
    "kl": ("loss",),
}
