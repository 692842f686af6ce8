"""What all reproductions share: settings, resumable training, saved pieces, and results written atomically.

Each script has a `.toml` file of the same name. `[short]` is the schedule for two cores. `[full]` and `[try]` list what
differs from it: with a GPU and more time, and in a one-minute trial. The other tables are for `table.py`.

Finished parts, such as the checkpoint of an epoch or a measured piece, are kept in
`out/reproduce/<script>-<schedule>/`. If a run is killed, rerun the same command to resume it.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.append(str(Path(__file__).parents[1]))  # to import from the other benchmarks

import keras
import numpy as np
from filelock import FileLock, Timeout
from machine import remember
from settings import OUT, SCHEDULES, settings_of
from work import Work

import keras_vae as kv
from keras_vae.utils.files import make_folder, sweep, whole


@contextlib.contextmanager
def begin(script: str, description: str | None) -> Iterator[Work]:
    """Read the command line and the settings, and lock the work folder for the duration of the block."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--schedule", default="short", choices=SCHEDULES)
    arguments.add_argument("--try", dest="trial", action="store_true", help="run for a minute and write nothing")
    options = arguments.parse_args()
    path = Path(script)
    schedule = "try" if options.trial else options.schedule
    settings = settings_of(path, schedule)
    with contextlib.ExitStack() as held:
        if options.trial:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder = OUT / f"{path.stem}-{schedule}"
            make_folder(folder)
            try:
                held.enter_context(FileLock(folder / ".lock", blocking=False, fallback_to_soft=False))
            except Timeout:
                sys.exit(f"{folder} is in use by another process. Wait until it has finished.")
            sweep(folder)
        _refuse_other_settings(folder / "settings.json", settings)
        keras.utils.set_random_seed(settings["seed"])
        remember(folder / "machines.json")
        yield Work(path.stem, schedule, settings, folder)


def _refuse_other_settings(path: Path, settings: dict[str, Any]) -> None:
    before = json.loads(path.read_text()) if path.exists() else settings
    others = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
    if others:
        names = ", ".join(others)
        sys.exit(f"{path.parent} holds parts of a run with different {names}. Move the folder away to start a new run.")
    with whole(path) as unfinished:
        unfinished.write_text(json.dumps(settings, indent=1) + "\n")


def mean_and_error(values: np.ndarray) -> dict[str, float]:
    """Return the mean over examples and its standard error."""
    return {"mean": float(values.mean()), "standard_error": float(values.std(ddof=1) / np.sqrt(len(values)))}


def held_out(examples: kv.data.Examples, count: int) -> tuple[kv.data.Examples, kv.data.Examples]:
    """Split off the last `count` training examples; return the other examples and this validation split."""
    cuts = slice(None, -count), slice(-count, None)
    parts = [
        (examples.images[cut], None if examples.labels is None else examples.labels[cut], examples.name) for cut in cuts
    ]
    return kv.data.Examples(*parts[0]), kv.data.Examples(*parts[1])
