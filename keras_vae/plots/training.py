"""Curves of a training run, and the KL of each latent."""

import os
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_vae.plots.drawing import save


def save_history(path: str | os.PathLike[str], entries: list[dict[str, float]]) -> None:
    """Save the bound against epochs, for training and validation, in nats per example.

    Args:
        path: Where to.
        entries: As `keras_vae.training.read_history` returns them.
    """
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axis = figure.subplots()
    for name, label in (("bound", "training"), ("val_bound", "test")):
        axis.plot([e["epoch"] for e in entries], [e[name] for e in entries], label=label)
    axis.set_xlabel("epoch")
    axis.set_ylabel("bound, nats per example")
    axis.legend()
    save(figure, path)


def save_kl(path: str | os.PathLike[str], kl: Any) -> None:
    """Save the KL of each latent as bars, the largest first.

    Args:
        path: Where to.
        kl: Nats, `[latents]`, as `keras_vae.training.Monitor` keeps them.

    Example:
        >>> import tempfile
        >>> save_kl(tempfile.mkdtemp() + "/kl.png", [0.0, 3.1, 1.2])
    """
    save(_drawn(kl), path)


def draw_kl(kl: Any) -> np.ndarray:
    """Return the picture of `save_kl` as an array, `[height, width, 3]`, values 0 to 255."""
    canvas = FigureCanvasAgg(_drawn(kl))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def bars(axis: Any, kl: Any) -> None:
    """Draw the KL of each latent as bars, the largest first."""
    kl = np.ravel(kl)
    order = np.argsort(kl, kind="stable")[::-1]
    axis.bar(range(len(kl)), kl[order])
    every = -(-len(kl) // 40)  # more names would overlap
    axis.set_xticks(range(0, len(kl), every), [str(latent) for latent in order[::every]], fontsize=7)
    axis.set_xlabel("latent, the largest KL first")
    axis.set_ylabel("KL, nats")
    axis.set_ylim(bottom=0)


def _drawn(kl: Any) -> Figure:
    figure = Figure(figsize=(max(4, min(12, 0.25 * np.size(kl) + 1)), 2.8), layout="constrained")
    bars(figure.subplots(), kl)
    return figure
