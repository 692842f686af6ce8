"""kill −9 during `train` and during `export`, ten times each, at seeded random moments.

Training must end with the weights of an undisturbed run (to rounding: op determinism is not switched on), and
the base path of the exports must never show a version that does not load whole.

    python benchmarks/kill.py                       # about five minutes on two cores
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

import keras_vae as kv
from keras_vae.files import whole
from keras_vae.training import Run, read_history

KILLS = 10
TRAIN = [sys.executable, "-m", "keras_vae", "train", "--epochs", "40", "--hidden", "64"]
EXPORT = """
import itertools, keras, keras_vae
vae = keras.saving.load_model("{model}")
print("ready", flush=True)
for version in itertools.count(1):
    try: vae.export(f"{base}/{{version}}")
    except FileExistsError: pass
"""


def kill_training(folder: Path, rng: random.Random) -> dict[str, object]:
    command = [*TRAIN, "--run", str(folder / "killed")]
    epochs = []
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()  # the first epoch of this start is done: from now on any moment will do
        time.sleep(rng.uniform(0, 2))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        epochs.append(len(read_history(folder / "killed" / "history.json")))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*TRAIN, "--run", str(folder / "undisturbed")], check=True, stdout=subprocess.DEVNULL)
    killed, undisturbed = (Run(folder / name).load_model().get_weights() for name in ("killed", "undisturbed"))
    return {
        "epochs_in_the_history_at_each_kill": epochs,
        "largest_difference_of_a_weight": float(
            max(np.abs(a - b).max() for a, b in zip(killed, undisturbed, strict=True))
        ),
    }


def kill_export(folder: Path, rng: random.Random) -> dict[str, object]:
    model, base = folder / "vae.keras", folder / "models" / "digits"
    kv.models.vae((28, 28, 1), seed=0).save(model)
    whole_versions, unfinished = 0, 0
    for _ in range(KILLS):
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
        "kills_that_hit_an_unfinished_export": unfinished,
        "whole_versions": whole_versions + 1,
        "left_after_the_next_export": [p.name for p in base.iterdir() if not p.name.isdecimal()],
    }


def main() -> None:
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        figures = {"train": kill_training(Path(name), rng), "export": kill_export(Path(name), rng)}
    print(json.dumps(figures, indent=1))
    with whole(Path(__file__).parent / "results" / "kill.json") as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
