"""One seed gives one z and one image: alone, in a batch of others' requests, after a restart, through REST."""

import subprocess
import sys
import threading
from collections import Counter
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest
from serving_rest_testing import ask
from serving_testing import free_port

import keras_vae as kv
import serving

SEEDS = np.array([0, 1, 63, 2**62, -5, 2024, 2**63 - 1, -(2**63)])
COMPANY = 64


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    base_path = tmp_path_factory.mktemp("seeds") / "digits"
    vae = kv.models.vae((8, 8, 1), latent_size=3, hidden=[32], seed=0)
    vae.export(base_path / "1")
    return base_path


@pytest.fixture(scope="module")
def server(base_path):
    with serving.Server(model_name="digits", model_base_path=base_path, port=0, rest_port=0) as server:
        yield server


def one_by_one(port: int) -> list[serving.Outputs]:
    with serving.Client(f"127.0.0.1:{port}", model="digits", timeout=60) as client:
        client.wait_until_ready(60)
        return [client.generate(seeds=[seed]) for seed in SEEDS]


@pytest.fixture(scope="module")
def alone(server):
    """What the seeds give, each asked for by itself: z `[8, 3]` and images `[8, 8, 8, 1]`."""
    answers = one_by_one(server.port)
    z, images = np.concatenate([one.z for one in answers]), np.concatenate([one.mean for one in answers])
    # So far apart that one cannot pass for another.
    assert len(np.unique(z, axis=0)) == len(SEEDS)
    distances = np.abs(images[:, None] - images).max(axis=(2, 3, 4)) + np.eye(len(SEEDS))
    assert distances.min() > 1e-3
    return z, images


def check(z: np.ndarray, images: np.ndarray, alone: tuple[np.ndarray, np.ndarray]) -> None:
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z.view(np.int32), alone[0].view(np.int32))
    np.testing.assert_allclose(images, alone[1], rtol=0, atol=1e-5)


def test_in_one_request(server, alone):
    with serving.Client(f"127.0.0.1:{server.port}", model="digits", timeout=60) as client:
        answer = client.generate(seeds=SEEDS)
    check(answer.z, answer.mean, alone)


def test_in_a_batch_of_other_clients_requests(base_path, alone):
    # So long a wait that a batch runs only once it is full; the recorded requests would wait in vain.
    batching = serving.Batching(max_batch_size=COMPANY, batch_timeout_micros=120_000_000)
    settings = {"batching": batching, "enable_model_warmup": False}
    rng = np.random.default_rng(0)
    with (
        serving.Server(model_name="digits", model_base_path=base_path, port=0, **settings) as server,
        futures.ThreadPoolExecutor(COMPANY) as pool,
    ):
        for others in (rng.integers(0, 1000, COMPANY - len(SEEDS)), rng.integers(0, 2**62, COMPANY - len(SEEDS))):
            before = server.models.batch_sizes()["digits"]
            seeds = rng.permutation(np.concatenate([SEEDS, others]))
            together = threading.Barrier(COMPANY)

            def generate(seed: int, together: threading.Barrier = together) -> serving.Outputs:
                with serving.Client(f"127.0.0.1:{server.port}", model="digits", timeout=110) as client:
                    client.metadata()
                    together.wait(60)
                    return client.generate(seeds=[seed])

            answers = dict(zip(seeds.tolist(), pool.map(generate, seeds), strict=True))
            assert server.models.batch_sizes()["digits"] - before == Counter({COMPANY: 1})
            found = [answers[seed] for seed in SEEDS.tolist()]
            check(np.concatenate([one.z for one in found]), np.concatenate([one.mean for one in found]), alone)


@pytest.mark.stress
def test_after_a_restart(base_path, alone):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", f"--port={port}", "--model_name=digits", f"--model_base_path={base_path}"],
        cwd=Path(serving.__file__).parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        answers = one_by_one(port)
    finally:
        process.kill()
        process.wait()
    check(np.concatenate([one.z for one in answers]), np.concatenate([one.mean for one in answers]), alone)


def test_through_rest(server, alone):
    path = "/v1/models/digits:predict"
    columns = ask(server.rest_port, path, {"signature_name": "generate", "inputs": SEEDS.tolist()}).json["outputs"]
    check(np.array(columns["z"], np.float32), np.array(columns["mean"], np.float32), alone)
    rows = [
        ask(server.rest_port, path, {"signature_name": "generate", "instances": [seed]}).json["predictions"][0]
        for seed in SEEDS.tolist()
    ]
    check(np.array([row["z"] for row in rows], np.float32), np.array([row["mean"] for row in rows], np.float32), alone)
