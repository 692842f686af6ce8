"""What all reproductions share: settings, training that resumes, pieces that are kept, a result written whole.

Beside each script lies a file of the same name, `.toml`: `[short]` is the schedule for two cores, `[full]` and `[try]`
are what differs from it with a GPU and time, and in a trial of a minute. Its other tables are for `table.py`.

What is finished is kept in `out/reproduce/<script>-<schedule>/`: each epoch's checkpoint, each measured piece. A run
that was killed goes on from there when the same command is given again.
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
sys.path.append(str(Path(__file__).parents[1]))  # for what the other benchmarks measure

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
    """Read the command line and the settings, and hold the work folder for the length of the block."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--schedule", default="short", choices=SCHEDULES)
    arguments.add_argument("--try", dest="trial", action="store_true", help="a minute; writes nothing")
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
                sys.exit(f"{folder} is in use by another process; wait for it")
            sweep(folder)
        _refuse_other_settings(folder / "settings.json", settings)
        keras.utils.set_random_seed(settings["seed"])
        remember(folder / "machines.json")
        yield Work(path.stem, schedule, settings, folder)


def _refuse_other_settings(path: Path, settings: dict[str, Any]) -> None:
    before = json.loads(path.read_text()) if path.exists() else settings
    others = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
    if others:
        sys.exit(f"{path.parent} holds parts of a run with other {', '.join(others)}; move it away to begin anew")
    with whole(path) as unfinished:
        unfinished.write_text(json.dumps(settings, indent=1) + "\n")


def mean_and_error(values: np.ndarray) -> dict[str, float]:
    """Return the mean over examples, and its standard error."""
    return {"mean": float(values.mean()), "standard_error": float(values.std(ddof=1) / np.sqrt(len(values)))}


def held_out(examples: kv.data.Examples, count: int) -> tuple[kv.data.Examples, kv.data.Examples]:
    """Return the training examples without their last ones, and those: the validation part."""
    cuts = slice(None, -count), slice(-count, None)
    parts = [
        (examples.images[cut], None if examples.labels is None else examples.labels[cut], examples.name) for cut in cuts
    ]
    return kv.data.Examples(*parts[0]), kv.data.Examples(*parts[1])
