"""Plots of a training run: the bound by epoch, and the KL of each latent."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_vae.plots.drawing import Plot, finished, read


def history(entries: Sequence[Mapping[str, float]], path: str | os.PathLike[str] | None = None) -> Figure:
    """Plot the bound by epoch, for training and test data, in nats per example.

    Args:
        entries: As `keras_vae.training.read_history` returns them. Without `val_bound`, the test curve is left out.
        path: File to write.

    Returns:
        The figure.

    Raises:
        ValueError: If an entry has no `bound`, or there are no entries.

    Example:
        >>> figure = history([{"epoch": 1, "bound": -120.0}, {"epoch": 2, "bound": -110.0}])
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [-120.0, -110.0]
    """
    listed = isinstance(entries, Sequence) and len(entries) > 0
    if not listed or not all(isinstance(entry, Mapping) and {"epoch", "bound"} <= entry.keys() for entry in entries):
        received = " ".join(f"{entries!r:.200}".split())
        raise ValueError(
            f"plots.history: entries: expected a list of dicts with 'epoch' and 'bound', received {received}. "
            "Pass the result of keras_vae.training.read_history."
        )
    figure = Plot(figsize=(5, 3.2), layout="constrained")
    axis = figure.subplots()
    for name, label in (("bound", "training"), ("val_bound", "test")):
        measured = [entry for entry in entries if name in entry]
        if measured:
            axis.plot([entry["epoch"] for entry in measured], [entry[name] for entry in measured], label=label)
    axis.set_xlabel("epoch")
    axis.set_ylabel("bound, nats per example")
    axis.legend()
    return finished(figure, path)


def kl(kl: Any, path: str | os.PathLike[str] | None = None) -> Figure:
    """Plot the KL of each latent as bars, in descending order.

    Args:
        kl: Nats, `[latents]`, as in `keras_vae.training.Monitor.history`. With several groups that is a dict: pass the
            values of one group.
        path: File to write.

    Returns:
        The figure.

    Example:
        >>> [label.get_text() for label in kl([0.0, 3.1, 1.2]).axes[0].get_xticklabels()]
        ['1', '2', '0']
    """
    if isinstance(kl, Mapping) or kl is None:
        raise ValueError(
            f"kl: expected the KL of each latent, [latents], received {type(kl).__name__}. Pass the values of one "
            "group that has them."
        )
    kl = read(kl, "plots.kl: kl")
    figure = Plot(figsize=(max(4, min(12, 0.25 * np.size(kl) + 1)), 2.8), layout="constrained")
    bars(figure.subplots(), kl)
    return finished(figure, path)


def bars(axis: Any, kl: Any) -> None:
    """Draw the KL of each latent as bars on an axis, in descending order."""
    kl = np.ravel(kl)
    order = np.argsort(kl, kind="stable")[::-1]
    axis.bar(range(len(kl)), kl[order])
    every = -(-len(kl) // 40)  # more names would overlap
    axis.set_xticks(range(0, len(kl), every), [str(latent) for latent in order[::every]], fontsize=7)
    axis.set_xlabel("latent, largest KL first")
    axis.set_ylabel("KL, nats")
    axis.set_ylim(bottom=0)
