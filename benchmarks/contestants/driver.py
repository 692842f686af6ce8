"""Run contestants one at a time, round after round, each in a separate process."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Any

from contestants.worker import Task
from tqdm import tqdm

HERE = Path(__file__).parent
PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "torch", "pythae", "numpy")


def check_installed() -> None:
    """Exit with a message if a contestant's package is missing."""
    missing = [name for name in ("torch", "pythae") if util.find_spec(name) is None]
    if missing:
        sys.exit(f"Not installed: {', '.join(missing)}. Install with: pip install 'keras_vae[benchmarks]'")


def machine(threads: int) -> dict[str, Any]:
    """Describe the machine and the versions that the figures were measured with."""
    processors = Path("/proc/cpuinfo")
    lines = processors.read_text().splitlines() if processors.exists() else []
    return {
        "cpu": next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown"),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": sys.version.split()[0],
        **{name: metadata.version(name) for name in PACKAGES},
    }


class Contestant:
    """A process that waits for requests to measure."""

    def __init__(self, name: str, module: str, task: Task, log: Path) -> None:
        self.name, self._log = name, log
        threads = str(task.threads)
        settings = {"OMP_NUM_THREADS": threads, "TF_NUM_INTRAOP_THREADS": threads, "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"contestants.{module}", json.dumps(vars(task))],
            cwd=HERE.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
            env=os.environ | settings,
        )

    def wait_ready(self) -> None:
        """Wait until the contestant is ready."""
        self._read()

    def measure(self) -> dict[str, Any]:
        """Run the measurement once; the time is measured here."""
        assert self._process.stdin is not None
        start = time.perf_counter()
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        found = self._read()
        return {**found, "seconds": time.perf_counter() - start}

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            log = self._log.read_text()[-3000:]
            raise RuntimeError(f"{self.name} exited with status {self._process.wait()}. End of its log:\n{log}")
        return json.loads(line)

    def close(self) -> None:
        """Stop the process."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def started(tasks: dict[str, tuple[str, Task]]) -> Iterator[list[Contestant]]:
    """Start each module with its task, one at a time."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        found = []
        for number, (name, (module, task)) in enumerate(bar := tqdm(tasks.items(), unit="contestant")):
            bar.set_description(f"preparing {name}")
            contestant = Contestant(name, module, task, Path(folder) / f"{number}.log")
            stack.callback(contestant.close)
            contestant.wait_ready()
            found.append(contestant)
        yield found


def play(contestants: list[Contestant], rounds: int, warm_up: int = 1) -> dict[str, list[dict[str, Any]]]:
    """Run all once per round, starting each round with another one; the first `warm_up` rounds do not count."""
    found: dict[str, list[dict[str, Any]]] = {contestant.name: [] for contestant in contestants}
    with tqdm(total=(rounds + warm_up) * len(contestants), unit="run") as bar:
        for number in range(rounds + warm_up):
            first = number % len(contestants)
            for contestant in contestants[first:] + contestants[:first]:
                bar.set_description(f"round {number + 1 - warm_up} of {rounds}, {contestant.name}")
                answer = contestant.measure()
                if number >= warm_up:
                    found[contestant.name].append(answer)
                bar.update()
    return found


def summary(values: list[float]) -> dict[str, Any]:
    """Return the median, minimum, maximum, and value of each round."""
    return {
        "median": round(statistics.median(values), 4),
        "least": round(min(values), 4),
        "most": round(max(values), 4),
        "rounds": [round(value, 4) for value in values],
    }


def fastest_of(rates: dict[str, list[float]], names: list[str]) -> list[float]:
    """Return the highest rate among these contestants in each round."""
    return [max(column) for column in zip(*(rates[name] for name in names), strict=True)]


def ratio(mine: list[float], theirs: list[float]) -> dict[str, Any]:
    """Return a summary of the ratio in each round."""
    return summary([a / b for a, b in zip(mine, theirs, strict=True)])


def verdict(name: str, found: dict[str, Any], aim: float) -> str:
    """Describe whether the median reaches the target."""
    reached = "reached" if found["median"] >= aim else "not reached"
    return f"{name}: {found['median']:.2f} ({found['least']:.2f} to {found['most']:.2f}); target {aim:g}: {reached}"
