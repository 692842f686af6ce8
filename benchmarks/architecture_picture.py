"""Draw docs/images/architecture.png: the rooms of the packages, by floors.

python benchmarks/architecture_picture.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch

from keras_vae.utils.files import whole

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "architecture.png"
INK, PAPER = "#20303c", "#ffffff"
# From the top floor down: the floor's color and its rooms, each with a caption.
FLOORS: list[tuple[str, list[tuple[str, str]]]] = [
    ("#dce6f2", [("cli/", "the command line")]),
    (
        "#e3eef0",
        [
            ("training/", "runs, callbacks,\nstrategies"),
            ("models/", "ready-made\nmodels"),
            ("evaluation/", "measures"),
            ("testing/", "checks for parts\nof your own"),
        ],
    ),
    ("#fbe8d3", [("vae.py", "what users do\nwith a model"), ("composition.py", "four parts\nmake a model")]),
    ("#fbf0d3", [("trainer/", "fit, evaluate and\ntheir steps"), ("export/", "SavedModels")]),
    (
        "#f3e3f0",
        [
            ("objectives/", "bounds on\nlog p(x)"),
            ("estimators/", "gradients of\nbounds"),
            ("inference/", "latents and\ntheir densities"),
        ],
    ),
    (
        "#e8e3f3",
        [
            ("encoder_\ndecoder.py", "q(z|x), p(x|z)"),
            ("priors/", "p(z)"),
            ("conditions/", "y"),
            ("data/", "sources,\npreprocessing"),
            ("latent/,\nplots/", "tools, figures"),
        ],
    ),
    (
        "#e2f0e0",
        [
            ("families/", "distributions"),
            ("networks/", "Keras models"),
            ("flows/", "invertible maps"),
            ("schedules/", "numbers that\nchange"),
        ],
    ),
    ("#ececec", [("utils/", "arguments, files, seeds, replicas: nothing about VAEs")]),
]
SERVING: list[tuple[str, list[tuple[str, str]]]] = [
    ("#dce6f2", [("main, server", "the local server")]),
    ("#fbe8d3", [("rest/", "HTTP"), ("grpc_api/", "gRPC")]),
    (
        "#f3e3f0",
        [("core/", "models,\nversions"), ("options/", "flags"), ("client/", "clients"), ("deploy/", "bundles")],
    ),
    ("#ececec", [("wire/", "protocol messages")]),
]


def draw_rooms(axis, floors, left, width, top, height, gap):
    """Draw floors from the top down, their rooms side by side."""
    for number, (color, rooms) in enumerate(floors):
        bottom = top - (number + 1) * height - number * gap
        room_width = (width - (len(rooms) - 1) * 0.012) / len(rooms)
        for place, (name, caption) in enumerate(rooms):
            x = left + place * (room_width + 0.012)
            axis.add_patch(
                FancyBboxPatch(
                    (x, bottom), room_width, height, "round,pad=0,rounding_size=0.008", fc=color, ec=INK, lw=0.8
                )
            )
            middle = x + room_width / 2
            axis.text(
                middle, bottom + height * 0.66, name, ha="center", va="center", fontsize=9.5, weight="bold", color=INK
            )
            axis.text(
                middle,
                bottom + height * (0.30 if "\n" not in name else 0.2),
                caption,
                ha="center",
                va="center",
                fontsize=7.5,
                color=INK,
            )


def main():
    """Draw and write the picture."""
    figure, axis = plt.subplots(figsize=(12, 7.6), dpi=130)
    figure.patch.set_facecolor(PAPER)
    axis.set_xlim(0, 1)
    axis.set_ylim(0.07, 1)
    axis.axis("off")
    axis.text(0.05, 0.965, "keras_vae", fontsize=14, weight="bold", color=INK)
    axis.text(0.695, 0.965, "serving", fontsize=14, weight="bold", color=INK)
    draw_rooms(axis, FLOORS, 0.05, 0.60, 0.945, 0.095, 0.014)
    draw_rooms(axis, SERVING, 0.695, 0.30, 0.945, 0.095, 0.014)
    axis.annotate("", (0.02, 0.09), (0.02, 0.94), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.5})
    axis.text(0.008, 0.52, "imports go down", rotation=90, va="center", ha="center", fontsize=9, color=INK)
    axis.text(
        0.695,
        0.40,
        "A model is three distributions and a bound:\n\n"
        "  x  →  encoder  →  q(z|x)  →  z  →  decoder  →  p(x|z)\n"
        "                          prior  p(z)\n"
        "                          objective: a bound on log p(x)\n\n"
        "The two packages meet in a SavedModel: export/ writes it,\n"
        "serving reads it. Only cli/ imports both.",
        fontsize=9,
        va="top",
        color=INK,
        linespacing=1.5,
    )
    with whole(PICTURE) as unfinished:
        figure.savefig(unfinished, bbox_inches="tight", facecolor=PAPER)


if __name__ == "__main__":
    main()
