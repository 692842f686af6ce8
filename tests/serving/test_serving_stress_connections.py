"""Connections by the thousand, slow clients and bodies of any size: REST answers the good request, and goes on.

`docs/serving.md`, "Under stress", says what comes of each.
"""

import gzip
import json
import resource
import socket
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager, suppress

import pytest
from fuzzing_process import Server, model_config, server_process
from serving_rest_testing import PREDICT, ask
from serving_testing import X, wait_for

pytestmark = pytest.mark.stress

GOOD = {"signature_name": "encode", "instances": X.tolist()}
HALF_SENT = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{" % PREDICT.encode()
MIB = 1024 * 1024


@contextmanager
def _usual_file_limit() -> Iterator[None]:
    """What most systems allow a process by default; the server raises it itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def running(exports, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "vae").mkdir()
    (folder / "vae" / "1").symlink_to(exports[1])
    with ExitStack() as stack:
        with _usual_file_limit():
            server = stack.enter_context(server_process(folder, model_config(vae=folder / "vae")))
        yield server


@pytest.fixture
def server(running):
    """The server, which answers before and after the test, and gives back what it took."""
    before, handles = ask(running.rest_port, PREDICT, GOOD).body, running.usage().handles
    yield running
    assert ask(running.rest_port, PREDICT, GOOD).body == before
    wait_for(lambda: running.usage().handles <= handles + 10)
    assert running.process.poll() is None
    assert "Traceback" not in running.log.read_text()


def _open(server: Server, data: bytes = b"") -> socket.socket:
    opened = socket.socket()
    opened.setblocking(False)
    opened.connect_ex(("127.0.0.1", server.rest_port))
    if data:
        opened.settimeout(60)
        opened.sendall(data)
    return opened


def test_fifteen_hundred_connections_half_of_them_half_sent(server):
    with ExitStack() as stack:
        for _ in range(750):
            stack.enter_context(_open(server, HALF_SENT))
            stack.enter_context(_open(server))
        for _ in range(5):
            assert ask(server.rest_port, PREDICT, GOOD).status == 200


def test_three_thousand_idle_connections(server):
    with ExitStack() as stack:
        for _ in range(30):
            for _ in range(100):
                stack.enter_context(_open(server))
            assert ask(server.rest_port, PREDICT, GOOD).status == 200
        assert server.usage().handles < 1200


def test_slow_clients_end_and_disturb_nobody(server):
    begun = time.monotonic()
    with ExitStack() as stack:
        slow = [stack.enter_context(_open(server, HALF_SENT)) for _ in range(100)]
        slow += [stack.enter_context(_open(server, HALF_SENT[:30])) for _ in range(100)]
        ended = 0
        while ended < len(slow):
            assert ask(server.rest_port, PREDICT, GOOD).status == 200
            time.sleep(1)
            ended = 0
            for connection in slow:
                try:
                    connection.sendall(b"a")
                except OSError:
                    ended += 1
    assert time.monotonic() > begun + 20, "they have 20 seconds"


def test_slow_readers_block_nobody(server):
    """A large answer that its client does not read takes a thread only while it is computed."""
    body = json.dumps({"signature_name": "decode", "inputs": [[0.1, 0.2]] * 50_000}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(20):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.settimeout(60)
            reader.connect(("127.0.0.1", server.rest_port))
            reader.sendall(head + body)
        for _ in range(5):
            assert ask(server.rest_port, PREDICT, GOOD).status == 200


def _send(server: Server, pieces: Iterator[bytes]) -> bytes:
    """Sends until the server hangs up; returns the first line of what came back."""
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=60) as connection:
        with suppress(OSError):
            for piece in pieces:
                connection.sendall(piece)
        received = b""
        with suppress(OSError):
            received = connection.recv(1000)
        return received.partition(b"\r\n")[0]


def _stated(server: Server) -> bytes:
    return _send(server, iter([b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (PREDICT.encode(), 10**10)]))


def _endless(server: Server) -> bytes:
    head = b"POST %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" % PREDICT.encode()
    chunk = b"%x\r\n%s\r\n" % (MIB, b" " * MIB)
    return _send(server, iter([head, *[chunk] * 100]))


def _bomb(server: Server) -> bytes:
    body = gzip.compress(bytes(300 * MIB), compresslevel=1)
    head = b"POST %s HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (PREDICT.encode(), len(body))
    return _send(server, iter([head + body]))


def test_bodies_without_end_take_no_memory(server):
    before = server.usage().memory
    with futures.ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(send, server) for send in (_stated, _endless, _bomb) for _ in range(2)]
        while not all(answer.done() for answer in answers):
            assert ask(server.rest_port, PREDICT, GOOD).status == 200
        lines = [answer.result() for answer in answers]
    assert all(line.split()[1] == b"413" for line in lines[:2]), lines
    # The server hangs up while the client still sends, so that its answer may be lost.
    assert all(line == b"" or line.split()[1] == b"413" for line in lines[2:4]), lines
    assert all(line.split()[1] == b"400" for line in lines[4:]), lines
    assert server.usage().memory < before + 400


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":[', b'{"b64":'])
def test_deep_json(server, opening):
    """TensorFlow Serving 2.19 can be crashed by 50,000 levels: CVE-2025-0649."""
    for levels in (1000, 50_000, 1_000_000):
        for key in (b"instances", b"inputs", b"signature_name", b"more"):
            body = b'{"%s": %s' % (key, opening * levels)
            reply = ask(server.rest_port, PREDICT, body)
            assert (reply.status, reply.error.startswith("JSON Parse error: ")) == (400, True)
    closed = b'{"instances": %s1%s}' % (b"[" * 50_000, b"]" * 50_000)
    assert ask(server.rest_port, PREDICT, closed).status == 400
