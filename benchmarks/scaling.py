"""How cost scales with examples, importance samples, and replicas, and the overhead of worker processes on one machine.

- Examples: seconds per epoch of `fit` with batch size 100, from 100 to 100,000 examples.
- Samples: seconds per call of `log_likelihood` on 20 images, from 50 to 50,000 importance samples.
- Replicas: CPU seconds per step, user and system, over all threads, with 100 examples for each of 1 to 8 logical CPU
  devices. The replicas share the cores of the machine, so this shows the cost of a replica, not a speedup. It spans
  less than one decade, not three.
- Workers: seconds and CPU seconds per step at the same global batch size, in one process without a strategy and in 2
  and 4 processes under `MultiWorkerMirroredStrategy` over loopback. They also share the cores, so the factor is pure
  overhead.

The network is 784-400-400-20 in float32. A slope is that of the least-squares line in log-log space: 1 means linear.
For examples and samples it is taken over the upper two decades; below, the fixed cost of a call weighs more.

    python benchmarks/scaling.py                      # several minutes on two idle cores

Figures go to benchmarks/results/scaling.json, the plot to docs/images/scaling.png.
"""

import json
import os
import platform
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tqdm import tqdm

import keras_vae as kv
from keras_vae.training import strategy
from keras_vae.utils.files import whole

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "scaling.json"
PICTURE = HERE.parent / "docs" / "images" / "scaling.png"
EXAMPLES = (100, 1000, 3000, 10_000, 30_000, 100_000)
SAMPLES = (50, 500, 1500, 5000, 15_000, 50_000)
REPLICAS = (1, 2, 4, 8)
WORKERS, GLOBAL_BATCHES = (1, 2, 4), (100, 1000)
BATCH, IMAGES, STEPS, REPEATS = 100, 20, 32, 3
SECONDS = 300


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, [count, 28, 28, 1], dtype=np.uint8) * 255


def new_model() -> kv.VAE:
    vae = kv.models.vae((28, 28, 1), latent_size=20, hidden=[400, 400], seed=0)
    vae.compile("adam")
    return vae


def seconds_of(call: Callable[[], Any]) -> list[float]:
    """Time a call several times, after one warm-up call."""
    call()
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return found


def by_examples() -> dict[int, list[float]]:
    pixels, vae, found = images(EXAMPLES[-1]), new_model(), {}
    for count in tqdm(EXAMPLES, desc="examples"):
        data = kv.data.load(pixels[:count], batch_size=BATCH)
        found[count] = seconds_of(partial(vae.fit, data, verbose=0))
    return found


def by_samples() -> dict[int, list[float]]:
    x, vae, found = images(IMAGES).astype(np.float32) / 255, new_model(), {}
    for count in tqdm(SAMPLES, desc="samples"):
        found[count] = seconds_of(partial(kv.evaluation.log_likelihood, vae, x, num_samples=count, verbose=False))
    return found


class Clock(keras.callbacks.Callback):
    """Record seconds and CPU seconds per step for all epochs but the first."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.cpu: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Record the start time."""
        self._begun = time.perf_counter(), cpu_seconds()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Record the time per step."""
        if epoch:
            self.seconds.append((time.perf_counter() - self._begun[0]) / STEPS)
            self.cpu.append((cpu_seconds() - self._begun[1]) / STEPS)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def train_here(kind: str, replicas: int, batch: int) -> None:
    """Train in this new process and print the time per step."""
    if kind == "mirrored":
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * replicas
        )
    chosen = strategy.make(kind)
    assert chosen.num_replicas_in_sync == replicas, chosen.num_replicas_in_sync
    with chosen.scope():
        vae = new_model()
    clock = Clock()
    data = kv.data.load(images(batch * STEPS), batch_size=batch)
    vae.fit(data, epochs=1 + REPEATS, callbacks=[clock], verbose=0)
    print(json.dumps({"seconds": clock.seconds, "cpu": clock.cpu}))


def processes(kind: str, replicas: int, batch: int, count: int = 1) -> dict[str, list[float]]:
    """Train in new processes; return the seconds per step of the slowest worker and the CPU seconds of all."""
    with ExitStack() as started:
        addresses = free_addresses(count)
        workers = []
        for index in range(count):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            worker = subprocess.Popen(
                [sys.executable, __file__, kind, str(replicas), str(batch)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | ({"TF_CONFIG": json.dumps(task)} if count > 1 else {}),
            )
            started.callback(worker.wait)
            started.callback(worker.kill)
            workers.append(worker)
        said = [worker.communicate(timeout=SECONDS) for worker in workers]
    for worker, (_, complaint) in zip(workers, said, strict=True):
        assert worker.returncode == 0, f"a worker of {kind}, {count} failed: {complaint[-2000:]}"
    found = [json.loads(out.splitlines()[-1]) for out, _ in said]
    return {
        "seconds": [max(each) for each in zip(*(one["seconds"] for one in found), strict=True)],
        "cpu": [sum(each) for each in zip(*(one["cpu"] for one in found), strict=True)],
    }


def free_addresses(count: int) -> list[str]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


def by_replicas() -> dict[int, list[float]]:
    counts = tqdm(REPLICAS, desc="replicas")
    return {count: processes("mirrored", count, BATCH * count)["cpu"] for count in counts}


def by_workers() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for batch in GLOBAL_BATCHES:
        for count in tqdm(WORKERS, desc=f"workers, global batch {batch}"):
            took = processes("one" if count == 1 else "multi-worker", count, batch, count)
            alone = rows[-WORKERS.index(count)] if rows and count > 1 else None
            medians = {name: statistics.median(values) for name, values in took.items()}
            rows.append({
                "global_batch": batch,
                "processes": count,
                "step_ms": [round(1000 * value, 3) for value in took["seconds"]],
                "cpu_ms": [round(1000 * value, 3) for value in took["cpu"]],
                "median_step_ms": round(1000 * medians["seconds"], 3),
                "median_cpu_ms": round(1000 * medians["cpu"], 3),
                "times_one_process": round(1000 * medians["seconds"] / alone["median_step_ms"], 2) if alone else 1.0,
                "cpu_times_one_process": round(1000 * medians["cpu"] / alone["median_cpu_ms"], 2) if alone else 1.0,
            })  # fmt: skip
    return rows


def slope(points: dict[int, list[float]]) -> float:
    """Return the slope in log-log over the upper two decades."""
    upper = [count for count in points if count * 100 >= max(points)]
    medians = [statistics.median(points[count]) for count in upper]
    return float(np.polyfit(np.log(upper), np.log(medians), 1)[0])


def draw(found: dict[str, dict[int, list[float]]], slopes: dict[str, float], path: Path) -> None:
    labels = {
        "examples": ("examples per epoch", "seconds per epoch of fit"),
        "samples": (f"importance samples, {IMAGES} images", "seconds per call of log_likelihood"),
        "replicas": ("replicas on the same cores", f"CPU seconds per step,\n{BATCH} examples per replica"),
    }
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    for panel, (name, points) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        counts = np.array(list(points))
        medians = np.array([statistics.median(values) for values in points.values()])
        spread = [medians - [min(v) for v in points.values()], [max(v) for v in points.values()] - medians]
        anchor = 0 if name == "replicas" else -1
        panel.plot(counts, medians[anchor] * counts / counts[anchor], color="0.6", linewidth=1, label="slope 1")
        panel.errorbar(counts, medians, spread, fmt="o", markersize=5, color="#1f6f8b", capsize=3, label="measured")
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel(labels[name][0])
        panel.set_ylabel(labels[name][1])
        panel.set_title(f"{name}: slope {slopes[name]:.2f}", fontsize=10, loc="left")
        panel.legend(frameon=False, fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
        if name == "replicas":
            panel.set_xticks(counts, counts)
            panel.xaxis.minorticks_off()
    figure.savefig(path, dpi=150)


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # also stops the workers
    found = {"examples": by_examples(), "samples": by_samples(), "replicas": by_replicas()}
    slopes = {name: slope(points) for name, points in found.items()}
    figures = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "tensorflow": tf.__version__},
        **{f"seconds_by_{name}": found[name] for name in ("examples", "samples")},
        "cpu_seconds_of_a_step_by_replicas": found["replicas"],
        "slopes": {name: round(value, 3) for name, value in slopes.items()},
        "workers": by_workers(),
    }
    print(json.dumps({name: figures[name] for name in ("slopes", "workers")}, indent=1))
    with whole(RESULTS) as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")
    with whole(PICTURE) as unfinished:
        draw(found, slopes, unfinished)


if __name__ == "__main__":
    if len(sys.argv) == 4:  # a process started by `processes`
        train_here(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
