"""Which classes are taken for which."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

# More classes than this leave no room for a number in each cell.
_WRITTEN = 12


def draw_confusion(matrices: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draw confusion matrices beside each other, as per cent of each true class.

    Args:
        matrices: Counts of true class (row) and predicted one, `[classes, classes]`, by a title.
        names: Of the classes.
    """
    side = max(3.2, min(7, 0.38 * len(names) + 1))
    figure = Figure(figsize=(side * len(matrices), side + 0.3), layout="constrained")
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    every = -(-len(names) // 25)  # more names would overlap
    for axis, (title, counts) in zip(axes, matrices.items(), strict=True):
        shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("predicted")
        axis.set_ylabel("true, % of the row")
        ticks = range(0, len(names), every)
        axis.set_xticks(ticks, [names[i] for i in ticks], fontsize=7)
        axis.set_yticks(ticks, [names[i] for i in ticks], fontsize=7)
        if len(names) <= _WRITTEN:
            for (row, column), share in np.ndenumerate(shares):
                if counts[row, column]:
                    text = f"{share:.0f}" if share >= 0.5 else "<1"
                    axis.text(
                        column,
                        row,
                        text,
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="white" if share > 50 else "black",
                    )
    return figure
