"""REST's HTTP side: bodies, limits, time, stopping and metrics."""

import contextlib
import gzip
import http.client
import json
import socket
import threading
import time
from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf
from serving_rest_testing import PREDICT, FakeModel, ask, serve
from serving_testing import wait_for

from serving.core.metrics import Metrics
from serving.rest.server import RestServer
from serving.wire.protocol import MAX_MESSAGE_BYTES


@pytest.fixture
def model():
    return FakeModel(x=tf.float32)


@pytest.fixture
def rest(model):
    with serve(model) as rest:
        yield rest


def test_random_bodies_are_answered(rest):
    random = np.random.default_rng(4)
    whole = json.dumps({"signature_name": "", "instances": [{"x": [1.5, 2]}, {"x": [0, -1e3]}]}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=30)
    statuses = set()
    for _ in range(500):
        body = bytearray(whole)
        for position in random.integers(0, len(whole), random.integers(1, 5)):
            body[position] = random.choice(list(b'[]{}",:.0123456789eE-+ntf\\\xff\x00 '))
        connection.request("POST", PREDICT, bytes(body))
        response = connection.getresponse()
        json.loads(response.read())
        statuses.add(response.status)
    connection.close()
    assert statuses == {200, 400}


def test_gzip(rest):
    body = gzip.compress(json.dumps({"inputs": [1.5, 2.5]}).encode())
    for encoding in ("gzip", "x-gzip", "identity, gzip"):
        header = {"Content-Encoding": encoding}
        assert ask(rest, PREDICT, body, headers=header).json == {"outputs": [1.5, 2.5]}
    bomb = gzip.compress(bytes(MAX_MESSAGE_BYTES + 1))
    for wrong in (body[:-9], body + b"x", b"x", bomb):
        reply = ask(rest, PREDICT, wrong, headers={"Content-Encoding": "gzip"})
        assert (reply.status, reply.error) == (400, "JSON Parse error: The document is empty")
    # Any other encoding is none.
    reply = ask(rest, PREDICT, body, headers={"Content-Encoding": "br"})
    assert (reply.status, reply.error) == (400, "JSON Parse error: Invalid value. at offset: 0")
    assert ask(rest, PREDICT, {"inputs": 1}, headers={"Content-Encoding": "br"}).json == {"outputs": 1.0}


def test_answers_are_never_compressed(rest):
    reply = ask(rest, PREDICT, {"inputs": [1.5] * 5000}, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in reply.headers
    assert reply.json == {"outputs": [1.5] * 5000}


def test_chunked_body_on_a_kept_connection(rest):
    connection = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=30)
    for _ in range(3):
        connection.request("POST", PREDICT, iter([b'{"inp', b'uts": 1}']), encode_chunked=True)
        response = connection.getresponse()
        assert json.loads(response.read()) == {"outputs": 1.0}
        kept = connection.sock
    assert kept is not None
    connection.close()


def test_a_body_of_megabytes(rest):
    x = np.random.default_rng(1).random((600, 784), np.float32)
    body = {"inputs": x.astype(float).round(7).tolist()}
    reply = ask(rest, PREDICT, body)
    np.testing.assert_array_equal(np.float32(reply.json["outputs"]), np.float32(body["inputs"]))


def _raw(rest: RestServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", rest.port), timeout=30) as connection:
        connection.sendall(data)
        return connection.recv(100_000)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (PREDICT.encode(), MAX_MESSAGE_BYTES + 1), b"413"),
        (b"POST %s HTTP/1.1\r\nContent-Length: -1\r\n\r\n" % PREDICT.encode(), b"400"),
        (b"GET / HTTP/1.1\r\nA: %s\r\n\r\n" % (b"a" * 100_000), b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET http://[ HTTP/1.1\r\n\r\n", b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"POST %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" % PREDICT.encode(), b"400"),
    ],
)
def test_http_that_is_wrong(rest, data, status):
    assert status in _raw(rest, data).partition(b"\r\n")[0]
    assert ask(rest, "/v1/models/vae").status == 200


def test_a_request_out_of_time(model):
    def slow(request):
        time.sleep(0.3)
        return {"x": np.zeros(1)}

    model.answer = slow
    with serve(model, timeout_in_ms=100) as rest:
        reply = ask(rest, PREDICT, {"inputs": 1})
        assert (reply.status, reply.error) == (504, "Deadline Exceeded")
        model.answer = lambda request: {"x": np.zeros(1)}
        assert ask(rest, PREDICT, {"inputs": 1}).status == 200


def test_methods_receive_the_deadline(model):
    deadlines = []
    predict = model.predict
    model.predict = lambda request, deadline, servable: (
        deadlines.append(deadline.at),
        predict(request, deadline, servable=servable),
    )[1]
    with serve(model, timeout_in_ms=30_000) as rest:
        before = time.monotonic()
        ask(rest, PREDICT, {"inputs": 1})
    assert 29.0 < deadlines[0] - before < 31.0


def test_waiting_counts(model):
    """Requests that waited too long for a thread are refused without being passed on."""
    release = threading.Event()
    handled = []

    def slow(request):
        handled.append(request)
        release.wait(30)
        return {"x": np.zeros(1)}

    model.answer = slow
    with serve(model, num_threads=1, timeout_in_ms=300) as rest, futures.ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, rest, PREDICT, {"inputs": 1})
        wait_for(lambda: handled)
        others = [pool.submit(ask, rest, PREDICT, {"inputs": 1}) for _ in range(3)]
        time.sleep(0.5)
        release.set()
        assert {reply.result().status for reply in [first, *others]} == {504}
    assert len(handled) == 1


def test_stopping_lets_requests_finish(model):
    begun, go = threading.Event(), threading.Event()
    others = set(threading.enumerate())  # such as those of other tests' servers

    def slow(request):
        begun.set()
        assert go.wait(30)
        return {"x": np.full(200_000, 0.5, np.float32)}

    model.answer = slow
    with serve(model) as rest, futures.ThreadPoolExecutor() as pool:
        idle = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=30)
        idle.request("GET", "/v1/models/vae")
        idle.getresponse().read()
        answer = pool.submit(ask, rest, PREDICT, {"inputs": 1})
        assert begun.wait(30)
        stopped = pool.submit(rest.stop, 30)
        wait_for(lambda: _is_closed(rest.port))
        assert idle.sock.recv(1) == b""
        assert not stopped.done()
        go.set()
        assert len(answer.result().json["outputs"]) == 200_000
        stopped.result(30)
    left = set(threading.enumerate()) - others
    assert not [thread for thread in left if thread.name.startswith(("waitress", "serving-rest"))]


def _is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_stopping_waits_for_a_slow_reader(model):
    model.answer = lambda request: {"x": np.full(2_000_000, 0.5, np.float32)}
    with serve(model) as rest, futures.ThreadPoolExecutor() as pool, socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        reader.connect(("127.0.0.1", rest.port))
        reader.sendall(b'POST %s HTTP/1.0\r\nContent-Length: 13\r\n\r\n{"inputs": 1}' % PREDICT.encode())
        reader.recv(1)
        channels = rest._server.active_channels
        wait_for(lambda: all(not channel.requests for channel in list(channels.values())))
        stopped = pool.submit(rest.stop, 30)
        wait_for(lambda: _is_closed(rest.port))
        received = sum(len(piece) for piece in iter(lambda: reader.recv(1 << 20), b""))
        stopped.result(30)
    assert received > 8_000_000


def test_stopping_does_not_wait_beyond_the_grace(model):
    begun, go = threading.Event(), threading.Event()

    def stuck(request):
        begun.set()
        go.wait(30)
        return {"x": np.zeros(1)}

    model.answer = stuck
    with serve(model, num_threads=2) as rest, futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, rest, PREDICT, {"inputs": 1})
        assert begun.wait(30)
        with socket.create_connection(("127.0.0.1", rest.port), timeout=30) as half_sent:
            half_sent.sendall(b"POST %s HTTP/1.1\r\nContent-Length: 20\r\n\r\n{" % PREDICT.encode())
            rest.stop(0.2)
            with contextlib.suppress(ConnectionResetError):
                assert half_sent.recv(1) == b""
        with pytest.raises((http.client.HTTPException, OSError)):
            answer.result()
        go.set()


def test_taken_port(model, rest):
    with (
        pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1:{rest.port} for REST: Address already in use$"),
        serve(model, port=rest.port),
    ):
        pass


def test_ipv6(model):
    with serve(model, host="::1") as rest:
        connection = http.client.HTTPConnection("::1", rest.port, timeout=30)
        connection.request("GET", "/v1/models/vae")
        assert connection.getresponse().status == 200
        connection.close()


def test_metrics_and_observation(model):
    metrics = Metrics()

    def observe(observed):
        if not observed.api:
            return
        spec = observed.request.model_spec
        metrics.observe_request(
            model=spec.name,
            signature=spec.signature_name,
            status=observed.code.name,
            api=observed.api,
            entrypoint="REST",
            seconds=observed.seconds,
        )

    path = "/monitoring/prometheus/metrics"
    with serve(model, observe=observe, prometheus_path=path, render_metrics=metrics.render) as rest:
        ask(rest, PREDICT, {"inputs": 1})
        ask(rest, PREDICT, {"inputs": "a"})
        ask(rest, "/v1/models/nope:predict", {"inputs": 1})
        reply = ask(rest, path)
        assert ask(rest, "/v1/foo").status == 400
    assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    text = reply.body.decode()
    name = ":tensorflow:serving:request_count"
    assert f'{name}{{model_name="vae",signature_name="serving_default",status="OK"}} 1.0' in text
    assert f'{name}{{model_name="vae",signature_name="serving_default",status="INVALID_ARGUMENT"}} 1.0' in text
    assert f'{name}{{model_name="unknown",signature_name="unknown",status="NOT_FOUND"}} 1.0' in text
    assert 'API="predict",entrypoint="REST"' in text
