"""Overload: sends ten times the server's capacity for half a minute, and measures its answers, memory and recovery.

The server, a separate process, serves a model that takes about ten milliseconds with at most 64 threads, so that 256
calls may wait. This process measures its capacity with a closed loop of 16 clients, then sends ten times as many
requests per second on schedule, regardless of the answers, then measures the closed loop again. Memory is read from
/proc, so this needs Linux; answers per second are the server's own metrics. During the overload the two processes share
the machine. The time of the last answer, soon after the half minute, shows that the load kept to its schedule.

Memory counts as bounded if the second half of the overload needs at most 10% more than the first. A shared machine's
speed changes from minute to minute, so afterwards a server that was not overloaded takes turns with the one that was:
the speed counts as recovered if its median is at least 90% of the other's.

    python benchmarks/served/overload.py              # about four minutes on two cores
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from urllib.request import urlopen

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_vae.utils.files import whole

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "serving"))

import load
from fuzzing_process import METRICS_PATH, Server, model_config, server_process

HERE = Path(__file__).parents[1]
RESULTS = HERE / "results" / "serving_overload.json"
PICTURE = HERE.parent / "docs" / "images" / "serving_overload.png"
# The queue of batches holds what 64 threads can bring.
BATCHING = "max_batch_size { value: 256 } batch_timeout_micros { value: 2000 } max_enqueued_batches { value: 64 }"
THREADS = "--grpc_max_threads=64"
CLIENTS, ROWS, WIDTH, TIMES = 16, 64, 3000, 10
BOUNDED, BACK = 1.1, 0.9


class Heavy(tf.Module):
    """20 latents, two layers of 3,000 units, one output: 600 million multiplications per request."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        sizes = (load.LATENT, WIDTH, WIDTH, 1)
        self.layers = [
            tf.Variable(rng.normal(size=shape).astype(np.float32) / shape[0] ** 0.5)
            for shape in itertools.pairwise(sizes)
        ]

    @tf.function(input_signature=[tf.TensorSpec([None, load.LATENT], tf.float32, "z")])
    def decode(self, z: tf.Tensor) -> dict[str, tf.Tensor]:
        """From latents to one number."""
        for layer in self.layers:
            z = tf.tanh(z @ layer)
        return {"mean": z}


class Watch:
    """Reads a server's memory and its count of OK answers twice per second, with the times of events."""

    def __init__(self, server: Server) -> None:
        self.samples: list[tuple[float, float, float]] = []
        self.overload = (0.0, 0.0)
        self._server, self._begun, self._end = server, time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    @property
    def now(self) -> float:
        """The seconds since the beginning."""
        return time.monotonic() - self._begun

    def memory(self, begin: float, end: float) -> float:
        """Returns the most memory in a time, in megabytes."""
        return max(memory for moment, memory, _ in self.samples if begin <= moment <= end)

    def _watch(self) -> None:
        while not self._end.wait(0.5):
            with urlopen(f"http://127.0.0.1:{self._server.rest_port}{METRICS_PATH}", timeout=60) as reply:
                text = reply.read().decode()
            counts = re.findall(r":request_count\{(.*)\} (\S+)", text)
            answers = sum(float(count) for labels, count in counts if 'status="OK"' in labels)
            self.samples.append((self.now, self._server.usage().memory, answers))


def ask(server: Server, seconds: float, rate: float = 0.0) -> dict:
    """Loads the server; in a closed loop if no rate is given."""
    options = argparse.Namespace(server=f"127.0.0.1:{server.port}", model="decoder", clients=CLIENTS, rows=ROWS)
    options.seconds, options.warm_up, options.rate = seconds, 0.5, rate
    return asyncio.run(load.measure(options))


@contextmanager
def serve(folder: Path, batching: str, *flags: str) -> Iterator[Server]:
    """Starts a server of the model.

    Args:
        folder: Where the model and the server's files are to be.
        batching: The server's `BatchingParameters`; none for no batching.
        flags: More of the server's flags.
    """
    heavy = Heavy()
    tf.saved_model.save(heavy, str(folder / "decoder" / "1"), {"serving_default": heavy.decode})
    with server_process(folder, model_config(decoder=folder / "decoder"), *flags, batching=batching) as server:
        yield server


def measure(server: Server, untouched: Server, seconds: float, runs: int, run_seconds: float) -> tuple[dict, Watch]:
    """Overloads a server.

    Args:
        server: The server.
        untouched: Another like it, to which it is compared afterwards.
        seconds: How long to overload it.
        runs: How often the closed loop is measured, before and after.
        run_seconds: How long each time.

    Returns:
        The figures, and the samples they were made of.
    """
    with tqdm(total=round(seconds + 3 * runs * run_seconds), unit="s", desc="before") as bar:

        def closed(one: Server) -> float:
            seen = ask(one, run_seconds)
            assert seen["codes"].keys() == {"OK"}, f"refused without need: {seen['codes']}"
            bar.update(round(run_seconds))
            return seen["requests_per_second"]

        for one in (server, untouched):
            ask(one, run_seconds)  # the first requests are slower
        with Watch(server) as watch:
            before = [closed(server) for _ in range(runs)]
            capacity = statistics.median(before)
            bar.set_description(f"{TIMES} x {capacity:.0f} requests per second")
            begun = watch.now
            seen = ask(server, seconds, TIMES * capacity)
            watch.overload = (begun, watch.now)
            bar.update(round(seconds))
            bar.set_description("after")
            after = [(closed(server), closed(untouched)) for _ in range(runs)]
    took = seen["codes"]["OK"] / seen["requests_per_second"]
    begun, end = watch.overload
    middle = begun + seconds / 2
    memory = {
        "before": watch.memory(0, begun),
        "first_half": watch.memory(begun, middle),
        "second_half": watch.memory(middle, end),
        "after": watch.samples[-1][1],
    }
    return {
        "requests_per_second_before": [round(rate, 1) for rate in before],
        "requests_per_second_after": [round(rate, 1) for rate, _ in after],
        "requests_per_second_of_one_untouched": [round(rate, 1) for _, rate in after],
        "speed_is_back": statistics.median(rate / other for rate, other in after) >= BACK,
        "overload": {
            "planned_per_second": round(TIMES * capacity, 1),
            "calls_per_second": round(sum(seen["codes"].values()) / took, 1),
            "codes": seen["codes"],
            "answered_per_second": round(seen["requests_per_second"], 1),
            "p50_ms": round(seen["p50_ms"], 1),
            "p99_ms": round(seen["p99_ms"], 1),
            "until_the_last_answer_seconds": round(took, 1),
        },
        "memory_mb": {name: round(value, 1) for name, value in memory.items()},
        "memory_is_bounded": memory["second_half"] <= BOUNDED * memory["first_half"],
    }, watch


def draw(watches: dict[str, Watch], path: Path) -> None:
    figure, panels = plt.subplots(2, len(watches), sharex="col", sharey="row", figsize=(9, 5), layout="constrained")
    for (name, watch), (speed, memory) in zip(watches.items(), panels.T, strict=True):
        moments, megabytes, counts = np.array(watch.samples).T
        speed.plot(moments[2:], (counts[2:] - counts[:-2]) / (moments[2:] - moments[:-2]), linewidth=1)
        memory.plot(moments, megabytes, linewidth=1)
        for panel in (speed, memory):
            panel.axvspan(*watch.overload, color="0.9", zorder=0)
        speed.set_title(name, fontsize=10)
        memory.set_xlabel("seconds")
    panels[0, 0].set_ylabel("answers per second")
    panels[1, 0].set_ylabel("memory, MB")
    for row in panels:
        row[0].set_ylim(0, 1.15 * max(line.get_ydata().max() for panel in row for line in panel.lines))
    title = f"Gray: {TIMES} times the capacity is asked for. Afterwards a server that was left alone takes turns"
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="of overload")
    options = parser.parse_args()
    figures, watches = {}, {}
    for name, batching in (("without batching", ""), ("with batching", BATCHING)):
        with (
            tempfile.TemporaryDirectory() as folder,
            tempfile.TemporaryDirectory() as other,
            serve(Path(folder), batching, THREADS) as server,
            serve(Path(other), batching, THREADS) as untouched,
        ):
            figures[name], watches[name] = measure(server, untouched, options.seconds, runs=5, run_seconds=3.0)
    print(json.dumps(figures, indent=1))
    with whole(RESULTS) as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")
    with whole(PICTURE) as unfinished:
        draw(watches, unfinished)


if __name__ == "__main__":
    main()
