"""Kills (-9) and restarts the server under eight retrying clients, ten times at seeded random moments.

Each client asks for images of seeds without a pause. No error may reach it, because a restart takes less than its
timeout, and each answer is compared with the model's own in this process: z to the last bit, images to 1e-5.

    python benchmarks/served/kill_server.py            # about two minutes on two cores
"""

import contextlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from tqdm import tqdm

import keras_vae as kv
import serving
from keras_vae.utils.files import whole

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "serving"))

from serving_testing import free_port, wait_for

HERE = Path(__file__).parents[1]
RESULTS = HERE / "results" / "serving_kill.json"
KILLS, CLIENTS, ROWS, SEEDS = 10, 8, 4, 256
TIMEOUT = 60.0


class Client:
    """Asks for images again and again, in a thread of its own, and checks them."""

    def __init__(self, number: int, port: int, truth: dict[str, np.ndarray]) -> None:
        self.answers = 0
        self.longest = 0.0
        self.is_waiting = False
        self.problems: list[str] = []
        self._number, self._port, self._truth = number, port, truth
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(2 * TIMEOUT)

    def _ask(self) -> None:
        rng = np.random.default_rng(self._number)
        with serving.Client(f"127.0.0.1:{self._port}", model="digits", timeout=TIMEOUT) as client:
            while not self._end.is_set():
                seeds = rng.integers(0, SEEDS, ROWS)
                begun = time.monotonic()
                self.is_waiting = True
                try:
                    answer = client.generate(seeds=seeds)
                except serving.ServingError as error:
                    self.problems.append(f"error: {error}")
                    continue
                finally:
                    self.is_waiting = False
                    self.longest = max(self.longest, time.monotonic() - begun)
                same_z = np.array_equal(answer.z, self._truth["z"][seeds])
                if not same_z or not np.allclose(answer.mean, self._truth["mean"][seeds], rtol=0, atol=1e-5):
                    self.problems.append(f"wrong answer to the seeds {seeds.tolist()}")
                self.answers += 1


def start(port: int, base_path: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "serving", f"--port={port}", "--model_name=digits"]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    return subprocess.Popen(
        [*command, f"--model_base_path={base_path}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(folder: Path, kills: int) -> dict:
    """Kills a server under clients.

    Args:
        folder: For the model.
        kills: How often.

    Returns:
        The figures.
    """
    rng = random.Random(0)
    vae = kv.models.vae((28, 28, 1), seed=0)
    vae.export(folder / "digits" / "1")
    port = free_port()
    truth = {name: np.asarray(values) for name, values in vae.generate(np.arange(SEEDS)).items()}
    clients = [Client(number, port, truth) for number in range(CLIENTS)]
    away, under_way = [], []

    def answers() -> list[int]:
        return [client.answers for client in clients]

    def all_have_more(before: list[int]) -> bool:
        return all(now > then for now, then in zip(answers(), before, strict=True))

    with contextlib.ExitStack() as stack:
        process = start(port, folder / "digits")
        stack.callback(lambda: process.kill())  # the last one that was started
        for client in clients:
            stack.enter_context(client)
        wait_for(lambda: all_have_more([0] * CLIENTS))
        for _ in tqdm(range(kills), unit="kill"):
            time.sleep(rng.uniform(0, 2))
            under_way.append(sum(client.is_waiting for client in clients))
            process.kill()
            process.wait()
            killed = time.monotonic()
            process = start(port, folder / "digits")
            time.sleep(0.2)  # until what had come already is checked: what comes then is the new server's
            before = answers()
            wait_for(lambda before=before: answers() != before)
            away.append(time.monotonic() - killed)
            wait_for(lambda before=before: all_have_more(before))
    problems = list(itertools.chain.from_iterable(client.problems for client in clients))
    return {
        "kills": kills,
        "clients": CLIENTS,
        "answers": sum(answers()),
        "wrong_answers": sum(problem.startswith("wrong") for problem in problems),
        "errors": sum(problem.startswith("error") for problem in problems),
        "first_problems": problems[:5],
        "calls_under_way_at_each_kill": under_way,
        "seconds_until_the_next_answer": [round(seconds, 2) for seconds in away],
        "longest_call_seconds": round(max(client.longest for client in clients), 2),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = kill(Path(folder), KILLS)
    print(
        f"\n{figures['kills']} kills, {figures['answers']:,} answers: {figures['wrong_answers']} wrong,"
        f" {figures['errors']} errors; away for {statistics.median(figures['seconds_until_the_next_answer']):.1f} s"
        f" (median), longest call {figures['longest_call_seconds']:.1f} s"
    )
    with whole(RESULTS) as unfinished:
        unfinished.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
