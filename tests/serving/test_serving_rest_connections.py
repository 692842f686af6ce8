"""REST's connections: slow and idle ones end in time, and make room for others.

`test_serving_stress_connections.py` does the same with a thousand of them, and the limits as they are.
"""

import http.client
import socket
import time
from contextlib import ExitStack

import numpy as np
import pytest
import tensorflow as tf
from serving_rest_testing import PREDICT, FakeModel, ask, serve
from serving_testing import wait_for

from serving.rest import connections

HEAD = b"POST %s HTTP/1.1\r\nContent-Length: 13\r\n" % PREDICT.encode()
BODY = b'{"inputs": 1}'


@pytest.fixture
def limits(monkeypatch):
    """Five connections, and parts of a second."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 5)
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.2)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(connections, "BODY_SECONDS", 1.0)


@pytest.fixture
def model():
    return FakeModel(x=tf.float32)


@pytest.fixture
def rest(model, limits):
    with serve(model) as rest:
        yield rest


def _open(rest, data: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", rest.port), timeout=30)
    opened.sendall(data)
    return opened


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        connection.settimeout(30)


@pytest.mark.parametrize("sent", [HEAD, HEAD + b"\r\n{"], ids=["head", "body"])
def test_what_comes_too_slowly_ends(rest, sent):
    with _open(rest, sent) as slow, _open(rest) as idle:
        begun = time.monotonic()
        while _is_open(slow):
            assert time.monotonic() < begun + 20
            time.sleep(0.1)
            if time.monotonic() < begun + 0.7:
                slow.send(b" ")
        assert time.monotonic() > begun + 1.0, "not before its time"
        assert _is_open(idle), "no request has begun on it"
        idle.sendall(HEAD + b"\r\n" + BODY)
        assert idle.recv(100).startswith(b"HTTP/1.1 200")


def test_a_slow_body_that_keeps_coming_is_waited_for(rest, monkeypatch):
    monkeypatch.setattr(connections, "_BYTES_A_SECOND", 2)
    with _open(rest, HEAD + b"\r\n") as slow:
        for byte in BODY:
            time.sleep(0.2)
            slow.sendall(bytes([byte]))
        assert slow.recv(100).startswith(b"HTTP/1.1 200")


def test_the_time_of_an_answer_is_not_the_clients(rest, model):
    """What follows a request is not read before its answer."""
    model.answer = lambda request: time.sleep(1.5) or {"x": np.float32(2)}
    with _open(rest, HEAD + b"\r\n" + BODY + HEAD) as pipelined:
        assert b"200 OK" in pipelined.recv(1000)
        model.answer = lambda request: {"x": np.float32(3)}
        pipelined.sendall(b"\r\n" + BODY)
        received = b""
        while b"3.0" not in received:
            received += pipelined.recv(1000)


def test_the_idlest_make_room(rest, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60.0)
    with ExitStack() as stack:
        oldest = stack.enter_context(_open(rest))
        half_sent = [stack.enter_context(_open(rest, HEAD)) for _ in range(4)]
        time.sleep(0.1)
        kept = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=30)
        kept.request("POST", PREDICT, BODY)
        assert kept.getresponse().read()
        assert not _is_open(oldest)
        assert sum(map(_is_open, half_sent)) >= 3
        for _ in range(3):
            assert ask(rest, PREDICT, {"inputs": 1}).json == {"outputs": 1.0}
        kept.close()


def test_those_at_work_are_not_closed_but_waited_for(rest, model):
    go = []
    model.answer = lambda request: wait_for(lambda: go) and {"x": np.float32(2)}
    with ExitStack() as stack:
        busy = [stack.enter_context(_open(rest, HEAD + b"\r\n" + BODY)) for _ in range(5)]
        wait_for(lambda: len(rest._server.active_channels) == 5)
        time.sleep(0.5)
        waiting = stack.enter_context(_open(rest, HEAD + b"\r\n" + BODY))
        time.sleep(0.5)
        assert len(rest._server.active_channels) == 5
        go.append(True)
        for connection in [*busy, waiting]:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_silence_ends_a_connection(model, monkeypatch):
    monkeypatch.setattr("serving.rest.server.SILENCE_SECONDS", 1)
    with serve(model) as rest, _open(rest) as silent:
        wait_for(lambda: not _is_open(silent), 20)
        assert ask(rest, PREDICT, {"inputs": 1}).status == 200
