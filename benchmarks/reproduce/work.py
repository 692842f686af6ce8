"""One run of a script: resumable training, saved pieces, and a result written atomically."""

import datetime
import functools
import json
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from bounds import KS, in_order
from callbacks import Keep, Seconds, kept_path
from machine import machine, remembered, versions
from settings import PICTURES, command, result_path

import keras_vae as kv
from keras_vae.training.callbacks import Progress
from keras_vae.utils.files import make_folder, whole

# Number of examples in a trial.
TRIED = 500
NOTHING_CHOSEN = "not used; fixed number of epochs, no early stopping, no choice based on it"


@dataclass
class Work:
    """One run of a script.

    Attributes:
        name: Name of the script.
        schedule: `"short"`, `"full"` or `"try"`.
        settings: Settings of the schedule.
        folder: Folder of the finished parts.
        seconds: Duration of each part, including those of earlier runs.
        warnings: Warnings about estimates of log p(x), by name.
    """

    name: str
    schedule: str
    settings: dict[str, Any]
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    @functools.cached_property
    def examples(self) -> tuple[kv.data.Examples, kv.data.Examples]:
        """Training and test examples; only a few in a trial."""
        part = f"[:{TRIED}]" if self.schedule == "try" else ""
        train, test = (kv.data.read(self["data"], split + part) for split in ("train", "test"))
        return train, test

    def piece(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return the JSON-compatible result of `measure`, which runs once and is then read from the folder."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            print(f"{self.name}: {name}", file=sys.stderr)
            begun = time.perf_counter()
            kept = {"found": measure(), "seconds": time.perf_counter() - begun}
            with whole(path) as unfinished:
                unfinished.write_text(json.dumps(kept, allow_nan=False))
        kept = json.loads(path.read_text())
        self.seconds[name] = kept["seconds"]
        return kept["found"]

    def log_likelihood(self, name: str, model: kv.VAE, data: Any, num_samples: int) -> np.ndarray:
        """Estimate log p(x) of each example by importance sampling, in nats, and record the warnings."""

        def measure() -> dict[str, Any]:
            found = kv.evaluation.log_likelihood(model, data, num_samples=num_samples, seed=self["seed"])
            return {"per_example": found.per_example.tolist(), "warnings": list(found.warnings())}

        name = f"{name}, L_{num_samples}"
        found = self.piece(name, measure)
        if found["warnings"]:
            self.warnings[name] = found["warnings"]
        return np.array(found["per_example"])

    def bounds(self, name: str, model: kv.VAE, data: Any) -> list[dict[str, Any]]:
        """Return L_k for k from 1 to 500, in nats, as `benchmarks/bounds.py` measures them."""
        return self.piece(f"{name}, bounds", lambda: in_order(model, data, KS[:-1], repetitions=1))

    def train(
        self,
        name: str,
        build: Callable[[], kv.VAE],
        source: Any,
        epochs: int,
        *,
        keep: Collection[int] = (),
        seed: int | None = None,
        **pipeline: Any,
    ) -> kv.VAE:
        """Train for the given number of epochs, resuming after the last finished one, and return the model.

        Args:
            name: Name of the model's folder.
            build: Builds and compiles the model.
            source: As in `keras_vae.data.epochs`.
            epochs: Total number of epochs.
            keep: Epochs after which the model is saved for `kept`.
            seed: Seed of weights and data; by default the seed in the settings.
            **pipeline: As in `keras_vae.data.epochs`.
        """
        folder = self.folder / name
        make_folder(folder)
        seed = self["seed"] if seed is None else seed
        keras.utils.set_random_seed(seed)
        model, epoch = kv.training.restore(folder / "checkpoints") or (build(), 0)
        if epoch < epochs:
            print(f"{self.name}: training {name}, epoch {epoch + 1} to {epochs}", file=sys.stderr)
            settings = {"batch_size": self["batch_size"], "seed": seed, **pipeline}
            batches, steps = kv.data.epochs(source, "train", start_epoch=epoch, **settings)
            callbacks = [
                Seconds(),  # first, so that the duration goes into the history
                kv.training.HistoryFile(folder / "history.json", epoch),
                Keep(folder, keep),
                kv.training.Checkpoint(folder / "checkpoints"),
                Progress(),
            ]
            model.fit(
                batches, steps_per_epoch=steps, initial_epoch=epoch, epochs=epochs, verbose=0, callbacks=callbacks
            )
        history = kv.training.read_history(folder / "history.json")
        self.seconds[f"training {name}"] = sum(entry["seconds"] for entry in history)
        return model

    def kept(self, name: str, epoch: int) -> kv.VAE:
        """Return the model saved after an epoch."""
        return keras.saving.load_model(kept_path(self.folder / name, epoch))

    def picture(self, name: str) -> Path:
        """Return the path of a picture; those of a trial are discarded."""
        folder = self.folder if self.schedule == "try" else PICTURES
        return folder / (f"{name}_full.png" if self.schedule == "full" else f"{name}.png")

    def finish(self, figures: dict[str, Any], validation: str = NOTHING_CHOSEN) -> None:
        """Print the result and write it atomically.

        Args:
            figures: Nested figures by name; log-likelihoods in nats per example.
            validation: How the validation split was used.
        """
        result = {
            "name": self.name,
            "schedule": self.schedule,
            "command": command(self.name, self.schedule),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "seed": self.settings.get("seeds", self["seed"]),
            "seconds": round(sum(self.seconds.values())),
            "seconds_of_each_part": {name: round(value, 1) for name, value in self.seconds.items()},
            "machine": machine(),
            # A run can be interrupted and continued on another machine.
            "machines": remembered(self.folder / "machines.json"),
            "versions": versions(),
            "validation": validation,
            "warnings": self.warnings,
            "settings": self.settings,
            "figures": figures,
        }
        print(json.dumps(result, indent=1, allow_nan=False))
        if self.schedule == "try":
            print("This was a trial: nothing was written.", file=sys.stderr)
            return
        path = result_path(self.name, self.schedule)
        make_folder(path.parent)
        with whole(path) as unfinished:
            unfinished.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
