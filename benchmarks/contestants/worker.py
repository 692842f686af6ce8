"""Code shared by all contestants: prepare, report ready, then measure once per line of input."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """The task of a contestant.

    Attributes:
        job: `"training"` or `"log_likelihood"`; only `keras_vae` also has `"memory"` and `"quality"`.
        weights: Path of the `.npz` file with the initial weights, as written by `weights.export`.
        images: Path of the `.npy` file with the images, uint8 `[n, 784]`: bytes for training, or 0 and 1.
        batch_size: Batch size.
        dtype: `"float32"` or `"bfloat16"`.
        threads: Threads per process.
        compiled: Whether to use `torch.compile`, for PyTorch.
        epochs: Number of epochs, for `"quality"`.
        num_samples: Importance samples per example.
        model: Path of the trained model, for `keras_vae` only.
    """

    job: str
    weights: str = ""
    images: str = ""
    batch_size: int = 100
    dtype: str = "float32"
    threads: int = 2
    compiled: bool = False
    epochs: int = 20
    num_samples: int = 5000
    model: str = ""


Measure = Callable[[], dict[str, Any]]


def serve(**jobs: Callable[[Task], Measure]) -> None:
    """Prepare the task given on the command line, then measure on each request until stdin closes."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # progress bars and library messages go to the log

    def answer(what: dict[str, Any]) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    task = Task(**json.loads(sys.argv[1]))
    measure = jobs[task.job](task)
    answer({"ready": True})
    for _ in sys.stdin:
        answer(measure())
