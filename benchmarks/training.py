"""Training speed of a VAE through `model.fit` with its defaults, against peers and the machine's matmul limit.

The network is 784-400-400-20, ReLU, trained with Adam 1e-3 on MNIST, binarized again in each epoch, with batch sizes
100 and 1,000 in float32 and bfloat16. Contestants (`contestants/`) are separate processes that start from the same
weights and take turns, one epoch each per round, after one epoch that is not counted. At the end, all must have
reached the same training loss. pythae does not support bfloat16 on CPU: its `amp` option is for CUDA only.

    pip install 'keras_vae[benchmarks]'
    python benchmarks/training.py                                   # about 15 minutes on two idle cores
    python benchmarks/training.py --examples 6000 --rounds 2        # a short trial; writes nothing

TFDS downloads MNIST unless TFDS_DATA_DIR contains it. Figures go to benchmarks/results/training.json, the plot to
docs/images/training_speed.png.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from contestants import driver, weights
from contestants.ours import new_model
from contestants.speed_picture import draw
from contestants.worker import Task

import keras_vae as kv
from keras_vae.utils.files import whole

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "training.json"
PICTURE = HERE.parent / "docs" / "images" / "training_speed.png"
OURS = "keras_vae"
COMPILED = "PyTorch loop, torch.compile"
PEERS = {
    "PyTorch loop": "plain_torch",
    COMPILED: "plain_torch",
    "pythae": "pythae_vae",
    "Keras and TFP by hand": "keras_by_hand",
}
LIMITS = {"products alone, TensorFlow": "matmul_tensorflow", "products alone, PyTorch": "matmul_torch"}
CASES = [(100, "float32"), (1000, "float32"), (100, "bfloat16"), (1000, "bfloat16")]
# Speed relative to the fastest peer, and fraction of the matmul limit.
AIMS = {(100, "float32"): (2.2, None), (1000, "float32"): (1.7, 0.6), (1000, "bfloat16"): (2.4, None)}
# In nats. All start from the same weights, but with different batches and noise. In these first epochs, the loss falls
# by several nats per epoch, and two seeds differ by about a nat, more with bfloat16. A wrong loss is off by tens.
TOLERANCE = 2.0
# Difference between bfloat16 and float32, in nats.
QUALITY_AIM = 0.2
EPOCHS = 20


def case(batch: int, dtype: str, files: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    modules = {OURS: "ours", **PEERS, **LIMITS}
    if dtype != "float32":
        del modules["pythae"]
    tasks = {
        name: (
            module,
            Task(
                "training",
                **files,
                batch_size=batch,
                dtype=dtype,
                threads=options.threads,
                compiled=name == COMPILED,
            ),
        )
        for name, module in modules.items()
    }
    steps = -(-options.examples // batch)
    with driver.started(tasks) as contestants:
        answers = driver.play(contestants, options.rounds)
    rates = {
        name: [answer.get("repeats", steps) / answer["seconds"] for answer in found] for name, found in answers.items()
    }
    peers = [name for name in PEERS if name in modules]
    losses = {name: found[-1]["loss"] for name, found in answers.items() if "loss" in found[-1]}
    return {
        "batch_size": batch,
        "dtype": dtype,
        "steps_per_second": {name: driver.summary(values) for name, values in rates.items()},
        "times_fastest_peer": driver.ratio(rates[OURS], driver.fastest_of(rates, peers)),
        "share_of_limit": driver.ratio(rates[OURS], driver.fastest_of(rates, list(LIMITS))),
        "loss_in_last_epoch": {name: round(loss, 3) for name, loss in losses.items()},
    }


def quality(options: argparse.Namespace) -> dict[str, float]:
    """Return log p(x) of test images after training in each dtype with the same seed and batch size 1,000."""
    found = {}
    for dtype in ("float32", "bfloat16"):
        task = Task("quality", batch_size=1000, dtype=dtype, threads=options.threads, epochs=EPOCHS, num_samples=500)
        with driver.started({f"{OURS}, {dtype}": ("ours", task)}) as (contestant,):
            found[dtype] = round(contestant.measure()["log_likelihood"], 3)
    lost = abs(found["bfloat16"] - found["float32"])
    print(
        f"\nlog p(x) after {EPOCHS} epochs at batch 1,000: float32 {found['float32']:.2f}, bfloat16 "
        f"{found['bfloat16']:.2f}: {lost:.2f} nats apart; target at most {QUALITY_AIM}: "
        + ("reached" if lost <= QUALITY_AIM else "not reached")
    )
    return found


def show(found: dict[str, Any]) -> None:
    batch, dtype = found["batch_size"], found["dtype"]
    print(f"\nBatch {batch}, {dtype}{'':18} steps per second: median (min to max)   loss of the last epoch")
    for name, rate in found["steps_per_second"].items():
        loss = found["loss_in_last_epoch"].get(name)
        spread = f"({rate['least']:.1f} to {rate['most']:.1f})"
        print(f"  {name:30} {rate['median']:9.1f} {spread:24} {'' if loss is None else f'{loss:.2f} nats'}")
    times, share = AIMS.get((batch, dtype), (None, None))
    for what, aim, key in (
        ("times the fastest peer", times, "times_fastest_peer"),
        ("fraction of the matmul limit", share, "share_of_limit"),
    ):
        ratio = found[key]
        plain = f"{what}: {ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f}); no target"
        print("  " + (plain if aim is None else driver.verdict(what, ratio, aim)))


def check_losses(cases: list[dict[str, Any]]) -> None:
    for found in cases:
        losses = found["loss_in_last_epoch"]
        if not np.ptp(list(losses.values())) <= TOLERANCE:  # NaN fails too
            sys.exit(
                f"The contestants do not train the same model: at batch size {found['batch_size']}, {found['dtype']}, "
                f"the losses of the last epoch differ by more than {TOLERANCE} nats: {losses}"
            )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--examples", type=int, default=60_000, help="examples per epoch")
    arguments.add_argument("--threads", type=int, default=2, help="threads per contestant")
    arguments.add_argument("--batch-sizes", type=int, nargs="+", default=[100, 1000])
    arguments.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    options = arguments.parse_args()
    driver.check_installed()

    cases = []
    with tempfile.TemporaryDirectory() as folder:
        files = {"weights": f"{folder}/initial.npz", "images": f"{folder}/images.npy"}
        np.save(files["images"], kv.data.read("mnist", f"train[:{options.examples}]").images.reshape(-1, 784))
        weights.export(new_model("float32"), files["weights"])
        for batch, dtype in CASES:
            if batch in options.batch_sizes and dtype in options.dtypes:
                cases.append(case(batch, dtype, files, options))
                show(cases[-1])
    check_losses(cases)
    complete = options.examples == 60_000 and [(c["batch_size"], c["dtype"]) for c in cases] == CASES
    if complete:
        found = {"machine": driver.machine(options.threads), "rounds": options.rounds, "cases": cases}
        found["log_likelihood_of_keras_vae"] = quality(options)
        with whole(RESULTS) as unfinished:
            unfinished.write_text(json.dumps(found, indent=1) + "\n")
        draw(found, OURS, list(LIMITS), PICTURE)


if __name__ == "__main__":
    main()
