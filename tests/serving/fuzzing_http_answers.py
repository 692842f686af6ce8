"""Sends REST requests and bytes, and says what must come back."""

import http.client
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import numpy as np
from fuzzing import FLOAT, INPUTS, INT64
from fuzzing_answers import check_outputs
from fuzzing_http import HttpRequest
from serving_rest_testing import PREDICT

_REFUSALS = {400, 404, 429, 501}
# What HTTP itself can be wrong in: too long a body or head.
_FRAME_REFUSALS = _REFUSALS | {405, 411, 413, 431}


def replies(port: int, requests: Sequence[HttpRequest]) -> Iterator[tuple[int, bytes]]:
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


def send_and_check(port: int, requests: Sequence[HttpRequest]) -> list[int]:
    """Sends requests, and fails unless each is answered rightly or refused; returns the statuses."""
    statuses = []
    for request, (status, body) in zip(requests, replies(port, requests), strict=True):
        statuses.append(status)
        if status == 200 and request.verb == "POST" and request.path == PREDICT:
            _check_answer(request, body)
        elif status != 200:
            assert status in _REFUSALS, (request, status, body)
            outside = request.verb == "NOPE" or not request.path.lower().startswith("/v1/")
            page = body.startswith(b"<HTML>") if outside else list(json.loads(body or b"{}")) == ["error"]
            assert request.verb == "HEAD" or page, (request, body)
    return statuses


def _read_inputs(fields: dict[str, Any], signature: str) -> dict[str, np.ndarray]:
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


def _first_of_each_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _check_answer(request: HttpRequest, body: bytes) -> None:
    fields = json.loads(request.body.decode("utf-8-sig", "replace"), object_pairs_hook=_first_of_each_key)
    answer = json.loads(body.decode("utf-8", "replace"))
    signature = fields.get("signature_name", "")
    inputs = _read_inputs(fields, signature)
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


def check_frames(port: int, frames: Sequence[bytes]) -> None:
    """Sends what is hardly HTTP, and fails unless each is refused or dropped, or answered by good luck."""
    for frame in frames:
        if answer := exchange(port, frame):
            assert int(answer.split(b" ", 2)[1]) in _FRAME_REFUSALS | {100, 200}, (frame, answer)
