"""What every contestant's process shares: it prepares, says it is ready, then measures once a line that it is sent."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """What a contestant is to do.

    Attributes:
        job: `"training"` or `"log_likelihood"`; `keras_vae` alone also has `"memory"` and `"quality"`.
        weights: Path of the `.npz` file of the weights to begin with, as `weights.export` writes it.
        images: Path of the `.npy` file of the images, uint8 `[n, 784]`: bytes to train on, or 0 and 1.
        batch_size: Examples in a batch.
        dtype: `"float32"` or `"bfloat16"`.
        threads: Threads for each process.
        compiled: For PyTorch: under `torch.compile`.
        epochs: For `"quality"`.
        num_samples: Importance samples for each example.
        model: Path of the trained model, for `keras_vae` alone.
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
    """Prepare the job of the task on the command line, then measure whenever asked, until stdin closes."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # progress bars and notes of the libraries go to the log

    def answer(what: dict[str, Any]) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    task = Task(**json.loads(sys.argv[1]))
    measure = jobs[task.job](task)
    answer({"ready": True})
    for _ in sys.stdin:
        answer(measure())
