"""A soak: anything that can be sent, in addition to ordinary traffic, while a new version comes every two minutes.

A server process serves an exported model and two tiny ones with batching, REST and metrics. This process sends the
requests of the property tests (`tests/serving/fuzzing*.py`), never the same twice, checks each answer, and cancels
some. Meanwhile a client asks for images, and must receive the same ones for the same seeds, no matter which version
answers. Memory, open handles and threads of the server are read from /proc each second, so this needs Linux.

They count as flat if a straight line fitted to the last two thirds of the time rises by less than 5% of their mean
there, or by less than one handle or thread.

    python benchmarks/served/soak.py                  # 15 minutes on two cores
"""
# ruff: noqa: E402

import argparse
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import matplotlib.pyplot as plt
import numpy as np
from hypothesis import strategies as st
from tqdm import tqdm

import keras_vae as kv
import serving
from keras_vae.utils.files import whole

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE.parent / "tests" / "serving"))  # whose requests are sent here, too

from fuzzing import Call, info_calls, predict_calls, valid_calls
from fuzzing_damage import in_batches, with_damage
from fuzzing_examples import example_calls
from fuzzing_http import HttpRequest, http_requests, wrong_frames
from fuzzing_http_answers import check_frames, exchange, send_and_check
from fuzzing_process import BATCHING, METRICS_PATH, Server, fuzz, model_config, outcome, server_process
from serving_rest_testing import ask
from serving_saved_models import animals, save_graph
from serving_testing import export, publish

RESULTS, PICTURE = HERE / "results" / "serving_soak.json", HERE.parent / "docs" / "images" / "serving_soak.png"
UNEXPECTED = "unexpected error"
KEPT_VERSIONS = 3
EXAMPLES = 20
FLAT_SHARE, FLAT_COUNT = 0.05, 1.0
SEEDS = np.arange(16)

Round = Callable[[Server, int], None]


class Soak:
    """Traffic of several kinds at the same time, and what the server does meanwhile."""

    def __init__(self, server: Server, minutes: float) -> None:
        self.server = server
        self.begun = time.monotonic()
        self.end = self.begun + 60 * minutes
        self.samples: list[tuple[float, float, int, int]] = []
        self.versions: list[float] = []
        self.rounds: Counter[str] = Counter()
        self.images = 0
        self.failures: list[str] = []

    @property
    def is_on(self) -> bool:
        """Whether there is time left, and a server."""
        return time.monotonic() < self.end and self.server.process.poll() is None

    @contextmanager
    def reported(self, what: str) -> Iterator[None]:
        """Keeps a failure for the end: what comes after it is of interest too."""
        try:
            yield
        except Exception as error:
            self.failures.append(f"{what}: {type(error).__name__}: {error}"[:2000])

    def send_anything(self, kinds: dict[str, Round]) -> None:
        """Sends a round of each kind in turn."""
        for number in itertools.count(1):
            for name, send in kinds.items():
                if not self.is_on:
                    return
                with self.reported(name):
                    send(self.server, number)
                self.rounds[name] += 1

    def ask_for_images(self) -> None:
        """Asks for the same seeds over gRPC, and looks at the metrics."""
        with serving.Client(f"127.0.0.1:{self.server.port}", model="digits", timeout=60) as client:
            first = client.generate(seeds=SEEDS).mean
            while self.is_on:
                with self.reported("images"):
                    # Rows of others in the batch change the rounding.
                    np.testing.assert_allclose(client.generate(seeds=SEEDS).mean, first, atol=1e-5)
                    self.images += len(SEEDS)
                if self.images % (100 * len(SEEDS)) == 0:
                    with self.reported("metrics"):
                        assert ask(self.server.rest_port, METRICS_PATH).status == 200

    def publish_versions(self, exported: Path, base_path: Path, pause: float) -> None:
        """Makes new versions appear, and removes the oldest."""
        for version in itertools.count(2):
            due = self.begun + pause * (version - 1)
            while self.is_on and time.monotonic() < due:
                time.sleep(0.1)
            if not self.is_on:
                return
            publish(exported, base_path, version)
            self.versions.append(time.monotonic() - self.begun)
            shutil.rmtree(base_path / str(version - KEPT_VERSIONS), ignore_errors=True)

    def watch(self) -> None:
        """Samples what the server takes up, each second."""
        with tqdm(total=round(self.end - self.begun), unit="s") as bar:
            while self.is_on:
                with suppress(FileNotFoundError):  # it has died
                    usage = self.server.usage()
                    self.samples.append((time.monotonic() - self.begun, *usage))
                    bar.set_description(f"{usage.memory:.0f} MB, {len(self.failures)} failures")
                bar.update()
                time.sleep(1)


def grpc_round(server: Server, number: int) -> None:
    calls = st.one_of(predict_calls, predict_calls, example_calls(), info_calls())
    fuzz(in_batches(with_damage(calls, 3), 10), EXAMPLES, server.send_and_check, number)


def stopped_round(server: Server, number: int) -> None:
    def send(calls: list[Call]) -> None:
        futures = server.send(calls, timeout=60 if number % 2 else 0.002)
        time.sleep(number % 10 / 2000)
        for future in futures:
            if number % 2:
                future.cancel()
            outcome(future)

    fuzz(st.lists(valid_calls, min_size=20, max_size=20), 2, send, number)


def rest_round(server: Server, number: int) -> None:
    def send(requests: list[HttpRequest]) -> None:
        send_and_check(server.rest_port, requests)

    fuzz(st.lists(http_requests(), min_size=20, max_size=20), EXAMPLES, send, number)


def bytes_round(server: Server, number: int) -> None:
    def send(frames: list[bytes]) -> None:
        check_frames(server.rest_port, frames)
        for frame in frames:
            exchange(server.port, frame)

    fuzz(st.lists(wrong_frames(), min_size=10, max_size=10), 2, send, number)


KINDS: dict[str, Round] = {"gRPC": grpc_round, "stopped": stopped_round, "REST": rest_round, "bytes": bytes_round}


def judge(samples: np.ndarray) -> dict[str, dict]:
    """Fits a line to the last two thirds of each."""
    late = samples[samples[:, 0] >= samples[-1, 0] / 3]
    seconds = late[:, 0]
    judged = {}
    for name, values in zip(("memory_mb", "handles", "threads"), late[:, 1:].T, strict=True):
        rise = float(np.polyfit(seconds, values, 1)[0] * (seconds[-1] - seconds[0]))
        allowed = FLAT_SHARE * float(values.mean())
        judged[name] = {
            "mean": round(float(values.mean()), 1),
            "most": round(float(values.max()), 1),
            "rise_of_the_line": round(rise, 2),
            "flat": rise < (allowed if name == "memory_mb" else max(allowed, FLAT_COUNT)),
        }
    return judged


def draw(samples: np.ndarray, versions: list[float], path: Path) -> None:
    figure, panels = plt.subplots(3, 1, sharex=True, figsize=(8, 6), layout="constrained")
    for panel, name, values in zip(panels, ("memory, MB", "open handles", "threads"), samples[:, 1:].T, strict=True):
        panel.plot(samples[:, 0] / 60, values, linewidth=1)
        panel.set(ylabel=name, ylim=(0, 1.15 * values.max()))
        for moment in versions:
            panel.axvline(moment / 60, color="0.85", linewidth=0.8, zorder=0)
    panels[0].set_title("The server under anything that can be sent; gray: a new version appears", fontsize=10)
    panels[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def soak(options: argparse.Namespace, folder: Path) -> tuple[Soak, dict]:
    for factor, name in ((1.0, "vae"), (None, "animals"), (None, "digits")):
        (folder / name).mkdir()
        if factor:
            export(factor, folder / name / "1")
    save_graph(folder / "animals" / "1", lambda: animals(folder / "names"))
    kv.models.vae((28, 28, 1), seed=0).export(folder / "digits" / "1")
    shutil.copytree(folder / "digits" / "1", folder / "exported")
    config = model_config(**{name: folder / name for name in ("vae", "animals", "digits")})
    with server_process(folder, config, batching=BATCHING) as server:
        run = Soak(server, options.minutes)
        threads = [
            threading.Thread(target=run.ask_for_images),
            threading.Thread(target=run.publish_versions, args=(folder / "exported", folder / "digits", options.pause)),
            threading.Thread(target=run.send_anything, args=(KINDS,)),
        ]
        for thread in threads:
            thread.start()
        run.watch()
        for thread in threads:
            thread.join()
        died = server.process.poll()
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(60)
        log = server.log.read_text()
    samples = np.array(run.samples)
    return run, {
        "minutes": options.minutes,
        "requests_over_grpc": server.sent,
        "rounds_of": dict(run.rounds),
        "images_asked_for": run.images,
        "new_versions": len(run.versions),
        "failures": len(run.failures),
        "first_failures": run.failures[:5],
        "died_with": died,
        "exit_code_after_sigterm": code,
        "unexpected_errors_in_the_log": log.count(UNEXPECTED),
        "first_unexpected_error": log[log.find(UNEXPECTED) :][:4000] if UNEXPECTED in log else "",
        **judge(samples),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--pause", type=float, default=120, help="seconds between two new versions")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run, figures = soak(options, Path(name))
    print(json.dumps(figures, indent=1))
    with whole(options.results) as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")
    with whole(options.picture) as unfinished:
        draw(np.array(run.samples), run.versions, unfinished)


if __name__ == "__main__":
    main()
