"""Training's course."""

import os

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
