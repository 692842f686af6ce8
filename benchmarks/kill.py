"""Kill `train` twenty times and `export` ten times with kill −9, at seeded random moments.

Training must end with exactly the weights and optimizer state of an uninterrupted run, and the base path of the exports
must never contain a version that does not load completely.

    python benchmarks/kill.py                       # about six minutes on two cores
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

import keras_vae as kv
from keras_vae.training import Run, read_history
from keras_vae.utils.files import UNFINISHED, whole

EXPORTS_KILLED = 10
TRAIN = ["--deterministic", "--epochs", "80", "--hidden", "200"]
# When training is killed, and how often: at any time after the command starts, some time after its first epoch, and
# while a checkpoint is being written.
KILLS = {"anywhere": 4, "after an epoch": 8, "writing": 8}
EXPORT = """
import itertools, keras, keras_vae
vae = keras.saving.load_model("{model}")
print("ready", flush=True)
for version in itertools.count(1):
    try: vae.export(f"{base}/{{version}}")
    except FileExistsError: pass
"""


def kill_training(folder: Path, rng: random.Random, options: list[str], kills: dict[str, int]) -> dict[str, object]:
    """Kill a run repeatedly, let it finish, and compare it with an uninterrupted one."""
    moments = [moment for moment, count in kills.items() for _ in range(count)]
    rng.shuffle(moments)
    train(folder / "undisturbed", options).communicate()
    struck = [strike(folder / "killed", options, moment, rng) for moment in moments]
    last = train(folder / "killed", options)
    last.communicate()
    assert last.returncode == 0, "the run does not resume"
    killed, undisturbed = (Run(folder / name) for name in ("killed", "undisturbed"))
    weights = [state(run.load_model()) for run in (killed, undisturbed)]
    epochs = [entry["epoch"] for entry in read_history(killed.history_path)]
    assert epochs == list(range(1, len(epochs) + 1)), epochs
    return {
        "kills": kills,
        "epochs_in_the_history_at_each_kill": [epoch for epoch, _ in struck],
        "kills_that_left_an_unfinished_checkpoint": sum(unfinished for _, unfinished in struck),
        "unfinished_files_in_the_end": len(list((folder / "killed").rglob(f"*{UNFINISHED}*"))),
        "arrays_compared": len(weights[0]),
        "arrays_that_differ": sum(not np.array_equal(a, b) for a, b in zip(*weights, strict=True)),
        "largest_difference_of_a_weight": max(float(np.abs(a - b).max()) for a, b in zip(*weights, strict=True)),
        "equal_histories": read_history(killed.history_path) == read_history(undisturbed.history_path),
        "epochs_whose_logs_differ": differing_logs(killed.log_dir / "validation", undisturbed.log_dir / "validation"),
    }


def train(run: Path, options: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "keras_vae", "train", "--run", str(run), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def strike(run: Path, options: list[str], moment: str, rng: random.Random) -> tuple[int, bool]:
    """Start the run and kill it; return the epochs in its history and whether it left an unfinished checkpoint."""
    process = train(run, options)
    if moment == "anywhere":
        time.sleep(rng.uniform(0, 12))
    else:
        process.stdout.readline()  # the first epoch after this start is done
        time.sleep(rng.uniform(0, 1 if moment == "after an epoch" else 0.3))
    while moment == "writing" and not unfinished_checkpoints(run) and process.poll() is None:
        pass
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed. Increase the number of epochs."
    process.stdout.close()
    return len(read_history(run / "history.json")), bool(unfinished_checkpoints(run))


def unfinished_checkpoints(run: Path) -> list[str]:
    folder = run / "checkpoints"
    return [name for name in os.listdir(folder) if UNFINISHED in name] if folder.is_dir() else []


def state(model: keras.Model) -> list[np.ndarray]:
    """Return everything that training resumes from."""
    return [np.asarray(v) for v in (*model.variables, *model.optimizer.variables)]


def differing_logs(killed: Path, undisturbed: Path) -> list[int]:
    """Return the steps at which TensorBoard would show other figures than for the uninterrupted run.

    An epoch that a killed run had to repeat is logged twice, with the same figures.
    """
    mine, theirs = scalars(killed), scalars(undisturbed)
    assert theirs, undisturbed
    return sorted({key[0] for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)})


def scalars(log_dir: Path) -> dict[tuple[int, str], set[bytes]]:
    found: dict[tuple[int, str], set[bytes]] = {}
    for path in log_dir.glob("events*"):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                figure = value.tensor.SerializeToString()
                found.setdefault((event.step, value.tag), set()).add(figure)
    return found


def kill_export(folder: Path, rng: random.Random) -> dict[str, object]:
    model, base = folder / "vae.keras", folder / "models" / "digits"
    kv.models.vae((28, 28, 1), seed=0).save(model)
    whole_versions, unfinished = 0, 0
    for _ in range(EXPORTS_KILLED):
        process = subprocess.Popen(
            [sys.executable, "-c", EXPORT.format(model=model, base=base)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        process.stdout.readline()
        time.sleep(rng.uniform(0, 4))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        unfinished += len(list(base.glob(".exporting-*")))
        versions = sorted(base.glob("[0-9]*"))
        for version in versions[whole_versions:]:
            signatures = tf.saved_model.load(str(version)).signatures
            assert {"generate", "encode", "decode", "reconstruct", "score"} <= set(signatures), version
            assert (version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0, version
        whole_versions = len(versions)
    keras.saving.load_model(model).export(base / str(whole_versions + 1))
    return {
        "kills": EXPORTS_KILLED,
        "kills_that_hit_an_unfinished_export": unfinished,
        "whole_versions": whole_versions + 1,
        "left_after_the_next_export": [p.name for p in base.iterdir() if not p.name.isdecimal()],
    }


def main() -> None:
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        figures = {"train": kill_training(Path(name), rng, TRAIN, KILLS), "export": kill_export(Path(name), rng)}
    print(json.dumps(figures, indent=1))
    with whole(Path(__file__).parent / "results" / "kill.json") as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
