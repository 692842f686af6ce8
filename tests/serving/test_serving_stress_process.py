"""Servers on one port, stopped while they are asked, and beside a full disk; `docs/serving.md`, "Under stress"."""

import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from concurrent import futures

import numpy as np
import pytest
from fuzzing_process import model_config, outcome, server_process
from serving_rest_testing import PREDICT, ask
from serving_testing import free_port, predict_request, wait_for

import keras_vae as kv
import serving

pytestmark = pytest.mark.stress

# Each graph that waits keeps one of TensorFlow's threads busy.
FLAGS = ("--log_format=json", "--rest_api_timeout_in_ms=600000", "--tensorflow_inter_op_parallelism=32")


@pytest.fixture
def server(exports, tmp_path):
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "1").symlink_to(exports[1])
    with server_process(tmp_path, model_config(vae=tmp_path / "vae"), *FLAGS) as server:
        yield server
        # What TensorFlow's C++ writes is text.
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        assert {line["status"] for line in lines if line["message"] == "request"} == {"OK"}


def test_two_servers_on_a_port(server, exports, tmp_path):
    before = server.answers()
    for port, rest_port, words in (
        (server.port, free_port(), f"cannot listen on 127.0.0.1:{server.port}: is the port in use?"),
        (
            free_port(),
            server.rest_port,
            f"cannot listen on 127.0.0.1:{server.rest_port} for REST: Address already in use",
        ),
    ):
        command = [
            *(sys.executable, "-m", "serving", f"--port={port}", f"--rest_api_port={rest_port}"),
            f"--model_base_path={tmp_path / 'vae'}",
        ]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr.splitlines()[-1] == f"serving: {words}"
        assert "Traceback" not in second.stderr
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port if port != server.port else rest_port)) != 0, "nothing is left"
        assert server.answers() == before
        assert ask(server.rest_port, "/v1/models/vae").status == 200


def test_sigterm_with_requests_in_flight(server, tmp_path):
    """More over REST than it has threads: those that have arrived are answered, too."""
    go, count = tmp_path / "go", 12
    begun = [tmp_path / f"begun{index}" for index in range(4 + count)]
    with futures.ThreadPoolExecutor(count) as pool:
        try:
            over_grpc = [
                server.stubs.predict.future(
                    predict_request("wait", begun=np.array(str(path)), go=np.array(str(go))), timeout=120
                )
                for path in begun[:4]
            ]
            bodies = [{"signature_name": "wait", "inputs": {"begun": str(path), "go": str(go)}} for path in begun[4:]]
            over_rest = [pool.submit(ask, server.rest_port, PREDICT, body) for body in bodies]
            wait_for(lambda: all(path.exists() for path in begun[:4]))
            wait_for(lambda: any(path.exists() for path in begun[4:]))
            wait_for(lambda: _connections(server.rest_port) >= count)
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: _is_closed(server.port) and _is_closed(server.rest_port))
            assert server.process.poll() is None
        finally:
            go.touch()
        assert [outcome(future)[0].name for future in over_grpc] == ["OK"] * 4
        assert [answer.result().status for answer in over_rest] == [200] * count
    assert server.process.wait(60) == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("size", [1000, 100_000], ids=["no variables", "no graph"])
def test_a_disk_that_fills_under_an_export(tmp_path, size):
    """No half a version is left or served; the system's answer here is EFBIG, as ENOSPC in the middle of a file."""
    vae = kv.models.vae((4,), latent_size=2, hidden=[64], seed=1)
    vae.export(tmp_path / "1")
    with (
        serving.Server(
            model_name="vae", model_base_path=tmp_path, port=0, file_system_poll_wait_seconds=0.05
        ) as server,
        serving.Client(f"127.0.0.1:{server.port}", model="vae", timeout=60) as client,
    ):
        before = client.generate([1, 2]).mean
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(OSError, match=rf"File too large: {tmp_path / '2'} was not written") as caught:
                vae.export(tmp_path / "2")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.errno == errno.EFBIG
        assert sorted(path.name for path in tmp_path.iterdir()) == ["1"]
        np.testing.assert_array_equal(client.generate([1, 2]).mean, before)
        assert [status.version for status in server.models.statuses("vae")] == [1]
        vae.export(tmp_path / "2")
        wait_for(lambda: server.models.get("vae").servable().version == 2)


def _is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _connections(port: int) -> int:
    """Counts the connections to a port that the kernel has."""
    with open("/proc/net/tcp") as table:
        return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in table)
