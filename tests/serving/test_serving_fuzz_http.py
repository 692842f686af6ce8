"""Whatever is sent to the ports of REST and gRPC as bytes, the server answers or hangs up, and lives on."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import numpy as np
import pytest
from fuzzing import FLOAT, INPUTS, INT64
from fuzzing_answers import check_outputs
from fuzzing_http import HttpRequest, http_requests, wrong_frames
from fuzzing_process import BATCHING, METRICS_PATH, fuzz, model_config, server_process
from hypothesis import strategies as st
from serving_rest_testing import PREDICT, ask
from serving_testing import X

REFUSALS = {400, 404, 429, 501}
# What HTTP itself can be wrong in: too long a body or head.
FRAME_REFUSALS = REFUSALS | {405, 411, 413, 431}


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


def replies(port: int, requests: list[HttpRequest]) -> Iterator[tuple[int, bytes]]:
    """Sends requests one after the other, on one connection as long as the server keeps it."""
    connection = None
    for request in requests:
        connection = connection or socket.create_connection(("127.0.0.1", port), timeout=60)
        connection.sendall(bytes(request))
        response = http.client.HTTPResponse(connection, method=request.verb)
        response.begin()
        yield response.status, response.read()
        if response.will_close:
            connection.close()
            connection = None
    if connection is not None:
        connection.close()


def read_inputs(fields: dict[str, Any], signature: str) -> dict[str, np.ndarray]:
    """Reads the tensors of a body that has been answered."""
    kinds = {name: dtype for name, (dtype, _) in INPUTS["" if signature == "serving_default" else signature].items()}
    if "instances" in fields:
        rows = fields["instances"]
        named = isinstance(rows[0], dict) and "b64" not in rows[0]
        columns = {name: [row[name] if named else row for row in rows] for name in kinds}
    else:
        columns = fields["inputs"]
        if not isinstance(columns, dict) or "b64" in columns:
            columns = dict.fromkeys(kinds, columns)
    dtypes = {FLOAT: np.float32, INT64: np.int64}
    return {name: np.array(columns[name], dtypes[kinds[name]]) for name in kinds if kinds[name] in dtypes}


def check_answer(request: HttpRequest, body: bytes) -> None:
    fields, answer = json.loads(request.body.decode("utf-8-sig")), json.loads(body)
    signature = fields.get("signature_name", "")
    inputs = read_inputs(fields, signature)
    if signature == "join":
        return
    if "predictions" in answer:
        rows = answer["predictions"]
        outputs = {name: [row[name] for row in rows] for name in rows[0]} if isinstance(rows[0], dict) else rows
    else:
        outputs = answer["outputs"]
    if not isinstance(outputs, dict):
        outputs = {
            {"score": "log_likelihood_bound", "multiply": "product", "total": "total"}.get(signature, "mean"): outputs
        }
    arrays = {name: np.array(value, np.float32) for name, value in outputs.items()}
    if not all(array.size for array in arrays.values()):  # JSON does not tell the shape of nothing
        assert not all(array.size for array in inputs.values())
        return
    check_outputs("" if signature == "serving_default" else signature, inputs, (), arrays)


def test_rest(server):
    answered = []

    def send(requests: list[HttpRequest]) -> None:
        for request, (status, body) in zip(requests, replies(server.rest_port, requests), strict=True):
            if status == 200 and request.verb == "POST" and request.path == PREDICT:
                check_answer(request, body)
                answered.append(request)
            elif status != 200:
                assert status in REFUSALS, (request, status, body)
                assert request.verb == "HEAD" or list(json.loads(body)) == ["error"], (request, body)

    fuzz(st.lists(http_requests(), min_size=20, max_size=20), 60, send)
    assert len(answered) > 200


def test_head_has_no_body(server):
    """One that came after it would be read as the next answer."""
    requests = [HttpRequest("HEAD", "/v1/models/nope", b""), HttpRequest("GET", "/v1/models/vae", b"")] * 2
    assert [status for status, _ in replies(server.rest_port, requests)] == [404, 200] * 2


def exchange(port: int, data: bytes) -> bytes:
    """Sends bytes, then nothing more; returns what comes back until the server hangs up."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as connection:
        received = b""
        with suppress(OSError):  # the server may hang up at any moment
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        return received


def test_wrong_frames_for_rest(server):
    def send(frames: list[bytes]) -> None:
        for frame in frames:
            answer = exchange(server.rest_port, frame)
            if answer:
                assert int(answer.split(b" ", 2)[1]) in FRAME_REFUSALS | {100, 200}, (frame, answer)

    fuzz(st.lists(wrong_frames(), min_size=10, max_size=10), 30, send)


def test_bytes_for_grpc(server):
    def send(frames: list[bytes]) -> None:
        for frame in frames:
            exchange(server.port, frame)

    fuzz(st.lists(wrong_frames(), min_size=10, max_size=10), 15, send)


def test_metrics_count_only_names_that_are_there(server):
    text = ask(server.rest_port, METRICS_PATH).body.decode()
    lines = [line for line in text.splitlines() if line.startswith(":tensorflow:serving:request_count{")]
    assert {line.split('model_name="')[1].split('"')[0] for line in lines} <= {"vae", "unknown"}
