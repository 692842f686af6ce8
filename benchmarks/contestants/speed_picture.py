"""The plot of training speed: a panel per case, bars with their range, and the matmul limit as a line."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from keras_vae.utils.files import whole

OURS_COLOR, PEER_COLOR, LIMIT_COLOR = "#1f6f8b", "#b8c4ca", "#c0392b"


def draw(found: dict[str, Any], ours: str, limits: list[str], path: Path) -> None:
    """Plot the figures measured by `benchmarks/training.py`."""
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    for axis, case in zip(figure.subplots(2, 2).flat, found["cases"], strict=True):
        rates = case["steps_per_second"]
        names = [name for name in rates if name not in limits][::-1]
        medians = [rates[name]["median"] for name in names]
        spread = [
            [median - rates[name]["least"] for name, median in zip(names, medians, strict=True)],
            [rates[name]["most"] - median for name, median in zip(names, medians, strict=True)],
        ]
        colors = [OURS_COLOR if name == ours else PEER_COLOR for name in names]
        axis.barh(names, medians, xerr=spread, color=colors, ecolor="#444444", capsize=3)
        limit = max(rates[name]["median"] for name in limits)
        axis.axvline(limit, color=LIMIT_COLOR, linestyle="--", linewidth=1.2)
        axis.text(limit, len(names) - 0.45, "matmul limit ", color=LIMIT_COLOR, fontsize=8, ha="right", va="bottom")
        for row, (name, median) in enumerate(zip(names, medians, strict=True)):
            axis.text(0.01 * limit, row, f" {median:.0f}", va="center", fontsize=8,
                      color="white" if name == ours else "black")  # fmt: skip
        axis.set_xlim(0, 1.05 * max(limit, *(rates[name]["most"] for name in names)))
        axis.set_ylim(-0.6, len(names) - 0.1)
        axis.set_title(f"batch {case['batch_size']:,}, {case['dtype']}", fontsize=10, loc="left")
        axis.set_xlabel("training steps per second", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    machine = found["machine"]
    figure.suptitle(
        f"Training a VAE 784-400-400-20 on MNIST: {machine['cpu']}, {machine['threads']} threads; "
        f"median and range of {found['rounds']} rounds",
        fontsize=10,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as unfinished:
        figure.savefig(unfinished, dpi=150)
