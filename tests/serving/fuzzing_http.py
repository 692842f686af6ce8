"""Strategies for HTTP: REST requests valid and wrong, and bytes that are hardly HTTP."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from fuzzing import FLOAT, INPUTS, INT64, names, seeds, texts
from hypothesis import strategies as st
from serving_rest_testing import PREDICT

_VERBS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "NOPE"]
_PATHS = [
    *(
        PREDICT,
        "/v1/models/vae",
        "/v1/models/vae/metadata",
        "/v1/models/animals:classify",
        "/v1/models/animals:regress",
    ),
    *("/v1/models/vae/versions/1:predict", "/v1/models/vae/versions/9:predict", "/v1/models/vae/labels/nope:predict"),
    *("/v1/models/vae:nope", "/v1/models", "/v1/models/:predict", "/v2/models/vae", "/", "*", "/monitoring/prometheus"),
    *(
        "/v1/models/../vae:predict",
        "/v1/models/%2e%2e%2fvae",
        "/v1/models/%ff",
        f"/v1/models/vae/versions/{'9' * 5000}",
    ),
]
_NUMBERS = [0, 1, -1.5, 7, 0.1, 1e300, 2**53, 2**63, -(2**70), 10**400, float("nan"), float("inf")]
_BYTES = b'[]{}",:.0123456789eE-+ntf\\\xff\x00 '
_kinds = st.integers(0, 9)


class HttpRequest(NamedTuple):
    """A well-formed request with arbitrary content."""

    verb: str
    path: str
    body: bytes
    headers: str = ""

    def __bytes__(self) -> bytes:
        head = f"{self.verb} {self.path} HTTP/1.1\r\nHost: x\r\n{self.headers}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode("latin-1") + self.body


values = st.recursive(
    st.one_of(st.sampled_from(_NUMBERS), st.none(), st.booleans(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(["x", "seed", "b64"]), texts), inner, max_size=3),
    ),
    max_leaves=8,
)


def _value(dtype: int, sizes: list[int], random: Random) -> Any:
    if sizes:
        return [_value(dtype, sizes[1:], random) for _ in range(sizes[0])]
    if dtype == INT64:
        return random.choice([random.randrange(-(2**63), 2**63), random.randrange(1000)])
    return random.gauss(0, 2) if dtype == FLOAT else random.choice(["a", "é", {"b64": "AAE="}])


@st.composite
def valid_bodies(draw: Callable) -> dict[str, Any]:
    """Bodies of requests that can be answered, in rows and in columns."""
    signature, rows, random = draw(st.sampled_from(list(INPUTS))), draw(st.integers(1, 4)), Random(draw(seeds))
    columns = {
        name: _value(dtype, [rows if size is None else size for size in shape], random)
        for name, (dtype, shape) in INPUTS[signature].items()
    }
    fields: dict[str, Any] = {"signature_name": signature} if signature else {}
    if random.random() < 0.5:
        return fields | {"inputs": columns}
    return fields | {"instances": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


@st.composite
def bodies(draw: Callable) -> bytes:
    """Bodies, most of them wrong: of other values, of broken text, nested without end."""
    kind, fields = draw(_kinds), draw(valid_bodies())
    if kind == 0:
        return draw(st.binary(max_size=40))
    if kind == 1:
        return json.dumps(draw(values)).encode()
    if kind == 2:
        return b'{"inputs":' + draw(st.sampled_from([b"[", b'{"x":', b'"', b"1"])) * draw(st.sampled_from([3, 6000]))
    if kind < 5:
        fields[draw(st.sampled_from(["inputs", "instances", "examples", "context", "signature_name"]))] = draw(values)
    text = json.dumps(fields)
    if kind < 8:
        return text.encode()
    random, data = Random(draw(seeds)), bytearray(text.encode())
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] = random.choice(_BYTES)
    return bytes(data)


@st.composite
def http_requests(draw: Callable) -> HttpRequest:
    kind = draw(_kinds)
    path = PREDICT if kind < 7 else draw(st.sampled_from(_PATHS))
    if kind == 9:
        path = "/v1/models/" + draw(names).encode("ascii", "ignore").decode().strip()
        path = "".join(character for character in path if character > " " and character != "\x7f")
    verb = "POST" if kind < 8 else draw(st.sampled_from(_VERBS))
    encoding = draw(st.sampled_from(["", "", "", "", "Content-Encoding: gzip\r\n", "Content-Encoding: br\r\n"]))
    return HttpRequest(verb, path, draw(bodies()), encoding if kind == 3 else "Content-Type: application/json\r\n")


_HEADERS = st.sampled_from(
    [
        *("Content-Length: -1", "Content-Length: 1e3", "Content-Length: 3", "Content-Length: 99999999999999999999"),
        *("Content-Length: 7\r\nContent-Length: 9", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked"),
        *(
            "Transfer-Encoding: nope",
            "Expect: 100-continue\r\nContent-Length: 5",
            "Host:",
            "nonsense",
            " : ",
            "A: \x00",
        ),
        *(
            "Content-Length: 2\r\nTransfer-Encoding: chunked",
            "Connection: Upgrade\r\nUpgrade: h2c",
            "B: " + "b" * 70_000,
        ),
    ]
)
_CHUNKS = st.sampled_from(
    [b'5\r\n{"a":\r\n', b"zz\r\n", b"-1\r\n", b"0\r\n\r\n", b"ffffffffffffffffff\r\n", b"2;x=y\r\n{}\r\n"]
)
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@st.composite
def wrong_frames(draw: Callable) -> bytes:
    """Requests whose frame is wrong, requests damaged anywhere, and bytes of other protocols."""
    kind, request, random = draw(_kinds), draw(http_requests()), Random(draw(seeds))
    if kind < 5:
        head = f"{request.verb} {request.path} HTTP/1.1\r\n{draw(_HEADERS)}\r\n\r\n".encode("latin-1")
        return head + b"".join(draw(st.lists(_CHUNKS, max_size=3))) + request.body[:50]
    if kind < 7:
        data = bytearray(bytes(request))
        for _ in range(random.randint(1, 4)):
            data[random.randrange(min(len(data), 80))] = random.randrange(256)
        return bytes(data[: random.randrange(len(data) + 1)] if kind == 6 else data)
    start = [b"", _PREFACE, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"][kind - 7]
    return start + draw(st.binary(max_size=80)) + (b"\r\n\r\n" if random.random() < 0.5 else b"")
