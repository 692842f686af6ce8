"""Servers that start where one is already, and stop while they are asked; `docs/serving.md`, "Under stress"."""

import json
import os
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

pytestmark = pytest.mark.stress


@pytest.fixture
def server(exports, tmp_path):
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "1").symlink_to(exports[1])
    with server_process(tmp_path, model_config(vae=tmp_path / "vae")) as server:
        yield server


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
        second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr.splitlines()[-1] == f"serving: {words}"
        assert "Traceback" not in second.stderr
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port if port != server.port else rest_port)) != 0, "nothing is left"
        assert server.answers() == before
        assert ask(server.rest_port, "/v1/models/vae").status == 200


def test_sigterm_with_requests_in_flight(server, tmp_path):
    """More over REST than it has threads: those that have arrived are answered, too."""
    go, count = tmp_path / "go", 24
    begun = [tmp_path / f"begun{index}" for index in range(2 * count)]
    with futures.ThreadPoolExecutor(count) as pool:
        try:
            over_grpc = [
                server.stubs.predict.future(
                    predict_request("wait", begun=np.array(str(path)), go=np.array(str(go))), timeout=120
                )
                for path in begun[:count]
            ]
            bodies = [
                {"signature_name": "wait", "inputs": {"begun": str(path), "go": str(go)}} for path in begun[count:]
            ]
            over_rest = [pool.submit(ask, server.rest_port, PREDICT, json.loads(json.dumps(body))) for body in bodies]
            wait_for(lambda: sum(path.exists() for path in begun[:count]) == count)
            wait_for(lambda: any(path.exists() for path in begun[count:]))
            wait_for(lambda: _connections(server.rest_port) >= count)
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: _is_closed(server.port) and _is_closed(server.rest_port))
            assert server.process.poll() is None
        finally:
            go.touch()
        assert [outcome(future)[0].name for future in over_grpc] == ["OK"] * count
        assert [answer.result().status for answer in over_rest] == [200] * count
    assert server.process.wait(60) == 0
    assert "Traceback" not in server.log.read_text()


def _is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _connections(port: int) -> int:
    """Counts the connections to a port that the kernel has."""
    with open("/proc/net/tcp") as table:
        return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in table)
