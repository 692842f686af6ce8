"""Speed of estimating log p(x) by importance sampling, 5,000 samples per example, against peers and the matmul limit.

keras_vae trains a 784-400-400-20 network for two epochs on MNIST, and all contestants (`contestants/`) use its
weights. They take turns in separate processes, each with its best chunk size. Figures are decoder samples per second.
The limit is the speed of the decoder's matrix products alone. The estimates must agree, and our memory use must not
grow with the number of samples.

    pip install 'keras_vae[benchmarks]'
    python benchmarks/log_likelihood.py                                             # about 10 minutes on two cores
    python benchmarks/log_likelihood.py --images 20 --num-samples 1000 --rounds 2   # a short trial; writes nothing

TFDS downloads MNIST unless TFDS_DATA_DIR contains it. Figures go to benchmarks/results/log_likelihood.json.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from contestants import driver, weights
from contestants.ours import new_model
from contestants.worker import Task

import keras_vae as kv
from keras_vae.utils.files import whole

RESULTS = Path(__file__).parent / "results" / "log_likelihood.json"
OURS, PYTHAE, COMPILED = "keras_vae", "pythae", "PyTorch, torch.compile"
CONTESTANTS = {
    OURS: "ours",
    "PyTorch by hand": "plain_torch",
    COMPILED: "plain_torch",
    PYTHAE: "pythae_vae",
    "Keras and TFP by hand": "keras_by_hand",
}
LIMITS = {"TensorFlow": "matmul_tensorflow", "PyTorch": "matmul_torch"}
# Rows per product; a few thousand give the highest speed.
LIMIT_ROWS = (1000, 4000, 10_000)
TIMES_PYTHAE, SHARE_OF_LIMIT = 5.0, 0.7
# In nats, for the mean. The estimates share weights and images but not noise, which changes a mean over 100 images
# with 5,000 samples by a few hundredths of a nat. A wrong density changes it by far more.
TOLERANCE = 0.5
MEMORY_SAMPLES = (500, 5000, 50_000)
MEMORY_IMAGES = 20
# In MiB. Peaks of identical processes differ by a few MiB; keeping every chunk of samples would add gigabytes.
MEMORY_TOLERANCE = 100.0
SMALLEST = 100, 5000  # fewest images and samples for figures that are saved


def prepare(folder: Path, count: int) -> Task:
    """Train, and save the weights and the first test images, binarized."""
    vae = new_model("float32")
    vae.compile(optimizer="adam")
    vae.fit(kv.data.load("mnist", batch_size=100), epochs=2, verbose=2)
    vae.save_weights(folder / "trained.weights.h5")
    weights.export(vae, folder / "trained.npz")
    x = next(iter(kv.data.load("mnist", "test", batch_size=count, shuffle=False)))
    np.save(folder / "images.npy", np.asarray(x).reshape(-1, 784).astype(np.uint8))
    return Task(
        "log_likelihood",
        weights=str(folder / "trained.npz"),
        images=str(folder / "images.npy"),
        model=str(folder / "trained.weights.h5"),
    )


def speed(task: Task, options: argparse.Namespace) -> dict[str, Any]:
    tasks = {name: (module, replace(task, compiled=name == COMPILED)) for name, module in CONTESTANTS.items()}
    limits = {
        f"products alone, {library}, {rows} rows": (module, replace(task, batch_size=rows))
        for library, module in LIMITS.items()
        for rows in LIMIT_ROWS
    }
    with driver.started(tasks | limits) as contestants:
        answers = driver.play(contestants, options.rounds)
    asked = options.images * options.num_samples
    samples = dict.fromkeys(tasks, asked) | {name: limit.batch_size for name, (_, limit) in limits.items()}
    rates = {
        name: [samples[name] * answer.get("repeats", 1) / answer["seconds"] for answer in found]
        for name, found in answers.items()
    }
    return {
        "samples_per_second": {name: driver.summary(values) for name, values in rates.items()},
        "times_pythae": driver.ratio(rates[OURS], rates[PYTHAE]),
        "times_fastest_peer": driver.ratio(rates[OURS], driver.fastest_of(rates, [n for n in tasks if n != OURS])),
        "share_of_limit": driver.ratio(rates[OURS], driver.fastest_of(rates, list(limits))),
        "log_likelihood": {name: round(answers[name][-1]["log_likelihood"], 3) for name in tasks},
        "chunk_chosen": {name: answers[name][-1]["chosen"] for name in tasks if "chosen" in answers[name][-1]},
    }


def memory(task: Task) -> dict[int, float]:
    """Return the growth of peak memory in a new process during the estimate, in MiB, for each number of samples."""
    images = Path(task.images).with_name("few.npy")
    np.save(images, np.load(task.images)[:MEMORY_IMAGES])
    grown = {}
    for count in MEMORY_SAMPLES:
        one = replace(task, job="memory", images=str(images), num_samples=count)
        with driver.started({f"memory at {count} samples": ("ours", one)}) as (contestant,):
            answer = contestant.measure()
        grown[count] = round(answer["peak_mib"] - answer["before_mib"], 1)
    return grown


def show(found: dict[str, Any]) -> None:
    print(f"\n{'':44} decoder samples per second: median (min to max)   estimate")
    for name, rate in found["samples_per_second"].items():
        estimate = found["log_likelihood"].get(name)
        spread = f"({rate['least']:,.0f} to {rate['most']:,.0f})"
        print(f"  {name:42} {rate['median']:12,.0f} {spread:26} {'' if estimate is None else f'{estimate:.2f} nats'}")
    print("  " + driver.verdict("times pythae", found["times_pythae"], TIMES_PYTHAE))
    print("  " + driver.verdict("fraction of the matmul limit", found["share_of_limit"], SHARE_OF_LIMIT))
    print(f"  times the fastest peer: {found['times_fastest_peer']['median']:.2f}; no target")
    for count, grown in found["memory_growth_mib"].items():
        print(f"  memory at {count:6,} samples of {MEMORY_IMAGES} images: peak grows by {grown:.0f} MiB")


def check(found: dict[str, Any]) -> None:
    estimates, grown = found["log_likelihood"], found["memory_growth_mib"]
    if not np.ptp(list(estimates.values())) <= TOLERANCE:  # NaN fails too
        sys.exit(f"Estimates with the same weights differ by more than {TOLERANCE} nats: {estimates}")
    if not max(grown.values()) - min(grown.values()) <= MEMORY_TOLERANCE:
        sys.exit(f"Memory grows by more than {MEMORY_TOLERANCE} MiB with the number of samples: {grown}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--images", type=int, default=100)
    arguments.add_argument("--num-samples", type=int, default=5000)
    arguments.add_argument("--threads", type=int, default=2, help="threads per contestant")
    options = arguments.parse_args()
    driver.check_installed()

    with tempfile.TemporaryDirectory() as folder:
        task = replace(prepare(Path(folder), options.images), num_samples=options.num_samples, threads=options.threads)
        found = {
            "machine": driver.machine(options.threads),
            **{name: getattr(options, name) for name in ("rounds", "images", "num_samples")},
            **speed(task, options),
            "memory_growth_mib": memory(task),
        }
    show(found)
    check(found)
    if options.images >= SMALLEST[0] and options.num_samples >= SMALLEST[1]:
        with whole(RESULTS) as unfinished:
            unfinished.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
