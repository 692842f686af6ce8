"""Whatever is sent to the ports of REST and gRPC as bytes, the server answers or hangs up, and lives on."""

import pytest
from fuzzing_http import HttpRequest, http_requests, wrong_frames
from fuzzing_http_answers import check_frames, exchange, replies, send_and_check
from fuzzing_process import BATCHING, METRICS_PATH, fuzz, model_config, server_process
from hypothesis import strategies as st
from serving_rest_testing import PREDICT, ask
from serving_testing import X

pytestmark = pytest.mark.stress


@pytest.fixture(scope="module")
def running(exports, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "vae").mkdir()
    (folder / "vae" / "1").symlink_to(exports[1])
    with server_process(folder, model_config(vae=folder / "vae"), batching=BATCHING) as server:
        yield server


@pytest.fixture
def server(running):
    """The server, which after the test must be as it was before."""
    body = {"signature_name": "encode", "instances": X.tolist()}
    before = running.answers(), ask(running.rest_port, PREDICT, body).body
    yield running
    assert running.process.poll() is None
    assert (running.answers(), ask(running.rest_port, PREDICT, body).body) == before
    log = running.log.read_text()
    assert "Traceback" not in log, log
    assert "unexpected" not in log, log
    assert "ncaptured" not in log, log


def test_rest(server):
    answered = []

    def send(requests: list[HttpRequest]) -> None:
        answered.extend(send_and_check(server.rest_port, requests))

    fuzz(st.lists(http_requests(), min_size=20, max_size=20), 60, send)
    assert answered.count(200) > 200


def test_head_has_no_body(server):
    """One that came after it would be read as the next answer."""
    requests = [HttpRequest("HEAD", "/v1/models/nope", b""), HttpRequest("GET", "/v1/models/vae", b"")] * 2
    assert [status for status, _ in replies(server.rest_port, requests)] == [400, 200] * 2


def test_wrong_frames_for_rest(server):
    fuzz(st.lists(wrong_frames(), min_size=10, max_size=10), 30, lambda frames: check_frames(server.rest_port, frames))


def test_bytes_for_grpc(server):
    def send(frames: list[bytes]) -> None:
        for frame in frames:
            exchange(server.port, frame)

    fuzz(st.lists(wrong_frames(), min_size=10, max_size=10), 15, send)


def test_metrics_count_only_names_that_are_there(server):
    text = ask(server.rest_port, METRICS_PATH).body.decode()
    lines = [line for line in text.splitlines() if line.startswith(":tensorflow:serving:request_count{")]
    assert {line.split('model_name="')[1].split('"')[0] for line in lines} <= {"vae", "unknown"}
