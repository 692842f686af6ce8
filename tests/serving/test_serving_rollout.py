"""Ten new versions appear under load, two of them broken: no request fails, each answer is from one whole version."""

import os
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_testing import Stubs, free_port, predict_request, publish, status_request, wait_for
from tensorflow_serving.apis import get_model_status_pb2

import serving

pytestmark = pytest.mark.stress

CLIENTS, ROWS = 16, 3
BROKEN = {4: "no files", 8: "a cut file"}
VERSIONS = range(1, 12)
STATE = get_model_status_pb2.ModelVersionStatus
CONFIGS = {
    "monitoring": "prometheus_config { enable: true }",
    # More rows and more time than all clients need, so that a batch waits, and is open when the version changes.
    "batching": "max_batch_size { value: 64 } batch_timeout_micros { value: 100000 }",
}


class Numbered(tf.Module):
    """Answers with its version in every value, read from two variables."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.factor, self.scale = tf.Variable(float(version)), tf.Variable(float(version))

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def encode(self, x):
        return {"mean": x * self.factor, "scale": 0 * x + self.scale}


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbered")
    for version in VERSIONS:
        path = folder / str(version)
        model = Numbered(version)
        tf.saved_model.save(model, str(path), {"serving_default": model.encode})
        if BROKEN.get(version) == "no files":
            for file in sorted(path.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
        elif version in BROKEN:
            whole = (path / "saved_model.pb").read_bytes()
            (path / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture(params=["alone", "batched"])
def rollout(request, numbered, tmp_path):
    """Serves version 1 from another process; gives its base path, gRPC port, metrics port and whether it batches."""
    publish(numbered / "1", tmp_path / "m", 1)
    port, rest_port, batched = free_port(), free_port(), request.param == "batched"
    flags = {"port": port, "rest_api_port": rest_port, "model_name": "m", "model_base_path": tmp_path / "m"}
    flags |= {"file_system_poll_wait_seconds": 0.05, "monitoring_config_file": tmp_path / "monitoring"}
    if batched:
        flags |= {"enable_batching": "true", "batching_parameters_file": tmp_path / "batching"}
    for name, text in CONFIGS.items():
        (tmp_path / name).write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", *(f"--{name}={value}" for name, value in flags.items())],
        cwd=Path(serving.__file__).parents[1],
        env=os.environ,
        stderr=subprocess.DEVNULL,
    )
    try:
        with serving.Client(f"127.0.0.1:{port}", model="m") as client:
            client.wait_until_ready(60)
        yield tmp_path / "m", port, rest_port, batched
    finally:
        process.kill()
        process.wait()


class Load:
    """Clients that ask again and again, and check every answer."""

    def __init__(self, port: int, longest_pause: float) -> None:
        self.stop = threading.Event()
        self.answered = Counter()
        self.problems = []
        self._longest_pause = longest_pause
        self._threads = [threading.Thread(target=self._ask, args=(port, n), daemon=True) for n in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, port: int, number: int) -> None:
        # Distinct integers, so that a product identifies the version and the row.
        x = np.arange(2 * ROWS, dtype=np.float32).reshape(ROWS, 2) + 1 + 100 * number
        request = predict_request(model="m", x=x)
        stubs, last, rng = Stubs(port), 0, random.Random(number)
        with stubs.channel:
            while not self.stop.is_set():
                try:
                    answer = stubs.predict(request, timeout=60)
                except grpc.RpcError as error:
                    self.problems.append((number, last, error.code(), error.details()))
                    continue
                version = answer.model_spec.version.value
                mean, scale = (tf.make_ndarray(answer.outputs[name]) for name in ("mean", "scale"))
                if not np.array_equal(mean, version * x) or not (scale == version).all() or version < last:
                    self.problems.append((number, last, version, mean, scale))
                last = version
                self.answered[version] += 1
                self.stop.wait(rng.uniform(0, self._longest_pause))


def _batches(rest_port: int) -> dict[int, float]:
    """Returns how often a batch of each size has run, by the server's metrics."""
    with urlopen(f"http://127.0.0.1:{rest_port}/monitoring/prometheus/metrics", timeout=30) as reply:
        text = reply.read().decode()
    found = re.findall(r'processed_batch_size_v2\{.*batch_size="(\d+)".*\} (\S+)', text)
    return {int(size): float(count) for size, count in found}


def _states(port: int) -> dict[int, tuple[int, int]]:
    stubs = Stubs(port)
    with stubs.channel:
        found = stubs.status(status_request("m"), timeout=60).model_version_status
    return {one.version: (one.state, one.status.error_code) for one in found}


def test_ten_versions_under_load(rollout, numbered):
    base_path, port, rest_port, batched = rollout
    enough = CLIENTS * (2 if batched else 20)
    # Clients that are answered together would ask together; so at any moment one comes to a batch that waits.
    with Load(port, 0.3 if batched else 0.0) as load:
        wait_for(lambda: load.answered[1] >= enough)
        good = 1
        for version in VERSIONS[1:]:
            publish(numbered / str(version), base_path, version)
            if version in BROKEN:
                wait_for(lambda version=version: _states(port).get(version, (0, 0))[0] == STATE.END)
                states = _states(port)
                assert states[version][1] != 0
                assert states[good] == (STATE.AVAILABLE, 0)
                before = load.answered[good]
                wait_for(lambda good=good, before=before: load.answered[good] >= before + enough)
            else:
                wait_for(lambda version=version: load.answered[version] >= enough)
                good = version
    assert load.problems == []
    assert set(load.answered) == set(VERSIONS) - BROKEN.keys()
    assert {version for version, state in _states(port).items() if state[0] == STATE.AVAILABLE} == {VERSIONS[-1]}
    if batched:
        batches, answers = _batches(rest_port), load.answered.total()
        assert sum(batches.values()) < 0.7 * answers  # they did wait together
        # Counts of versions that are gone are kept, but for what was under way when they went.
        assert 0.5 * ROWS * answers < sum(size * count for size, count in batches.items()) <= ROWS * answers
