"""A server that stops while it is asked; `test_serving_stress_process.py` does the same with many requests."""

import socket
from concurrent import futures

from serving_rest_testing import PREDICT, ask
from serving_testing import publish, wait_for

import serving


def test_while_rest_drains_grpc_accepts_nothing(exports, tmp_path):
    """They stop at the same time: a request over one must not keep the other open."""
    publish(exports[1], tmp_path / "vae", 5)
    begun, go = tmp_path / "begun", tmp_path / "go"
    settings = {"rest_port": 0, "grace": 60.0, "rest_timeout_in_ms": 60_000}
    with (
        serving.Server(model_name="vae", model_base_path=tmp_path / "vae", port=0, **settings) as running,
        futures.ThreadPoolExecutor(2) as pool,
    ):
        body = {"signature_name": "wait", "inputs": {"begun": str(begun), "go": str(go)}}
        answer = pool.submit(ask, running.rest_port, PREDICT, body)
        try:
            wait_for(begun.exists)
            stopped = pool.submit(running.stop)
            wait_for(lambda: _is_closed(running.port), timeout=30)
            assert not answer.done()
        finally:
            go.touch()
        assert answer.result().status == 200
        stopped.result()


def _is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
