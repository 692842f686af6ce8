"""The server behind the page: one document and five paths under `/api/`, for those who know the token."""

import hmac
import ipaddress
import json
import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import waitress

from keras_vae.explore.document import Document
from keras_vae.explore.explorer import Explorer
from keras_vae.explore.sources import SourceError

_log = logging.getLogger(__name__)

# A large image as base64 in JSON.
_MOST_BYTES = 32 * 2**20
_THREADS = 4
_SCHEME = "token "

_StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class _Refusal(Exception):
    """Ends a request with a status and one line."""

    def __init__(self, status: HTTPStatus, line: str) -> None:
        super().__init__(line)
        self.status = status


class Application:
    """The page and its API as a WSGI application.

    A request needs the token, in the query (`?token=...`) or as `Authorization: token ...`: other programs and other
    users of this machine do not know it, and a page of another site cannot read it. The Host header must be an address,
    `localhost` or `host`, since with DNS rebinding a site reaches this server under its own name.

    Args:
        explorer: Answers the API.
        token: The token.
        host: The name that the server listens on.
    """

    def __init__(self, explorer: Explorer, token: str, host: str) -> None:
        self._explorer, self._token, self._host = explorer, token.encode(), host.lower()
        self._document = Document.read(explorer.name)

    def __call__(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        """Answer one request by the WSGI protocol."""
        api = environ.get("PATH_INFO", "/").startswith("/api/")
        headers = self._document.headers
        try:
            self._admit(environ)
            kind, body = ("application/json", self._api(environ)) if api else self._page(environ)
            status = HTTPStatus.OK
        except Exception as error:
            status, line = _status_of(error)
            kind, body = _told(line, api)
        start_response(
            f"{status.value} {status.phrase}",
            [("Content-Type", kind), ("Content-Length", str(len(body))), *headers],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _admit(self, environ: dict[str, Any]) -> None:
        name = _host_name(environ.get("HTTP_HOST", ""))
        if not (name in ("localhost", self._host) or _is_address(name)):
            raise _Refusal(
                HTTPStatus.FORBIDDEN,
                f"Host: expected localhost or an address, received {name!r:.80}. Use the URL that was printed.",
            )
        header = environ.get("HTTP_AUTHORIZATION", "")
        if header.startswith(_SCHEME):
            given = header[len(_SCHEME) :]
        else:
            given = parse_qs(environ.get("QUERY_STRING", "")).get("token", [""])[0]
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), self._token):
            received = "another one" if given else "none"
            raise _Refusal(
                HTTPStatus.FORBIDDEN,
                f"token: expected that of the URL, received {received}. Use the URL that was printed.",
            )

    def _page(self, environ: dict[str, Any]) -> tuple[str, bytes]:
        if environ["PATH_INFO"] != "/":
            raise _Refusal(HTTPStatus.NOT_FOUND, f"path: expected /, received {environ['PATH_INFO']!r:.80}. Use /.")
        _expect_method(environ, "GET")
        return "text/html; charset=utf-8", self._document.body

    def _api(self, environ: dict[str, Any]) -> bytes:
        explorer, name = self._explorer, environ["PATH_INFO"].removeprefix("/api/")
        posts = {"decode": explorer.decode, "encode": explorer.encode, "generate": explorer.generate}
        if name in posts:
            _expect_method(environ, "POST")
            answer = posts[name](_body(environ))
        elif name == "model":
            _expect_method(environ, "GET")
            answer = explorer.model()
        elif name == "data":
            _expect_method(environ, "GET")
            answer = explorer.data(_index(environ))
        else:
            known = ", ".join(["model", "data", *posts])
            raise _Refusal(
                HTTPStatus.NOT_FOUND,
                f"path: expected /api/ and one of {known}, received {name!r:.80}. Use one of these.",
            )
        return json.dumps(answer, allow_nan=False).encode()


class ExploreServer:
    """Serves the page on this machine.

    Args:
        explorer: Answers the API.
        host: The address to listen on.
        port: The port; 0 for any free port.

    Raises:
        OSError: If it cannot listen there.

    Example:
        >>> import keras_vae as kv
        >>> from keras_vae.explore import ModelSource
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> with ExploreServer(Explorer(ModelSource(vae, "tiny", "a model in memory"))) as server:
        ...     server.url.startswith("http://127.0.0.1:")  # to open in a browser
        True
    """

    def __init__(self, explorer: Explorer, host: str = "127.0.0.1", port: int = 0) -> None:
        self.token = secrets.token_hex(24)
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            listener = socket.create_server(address[:2], family=family)
        except OSError as error:
            raise OSError(
                f"explore: expected a free address, received {host}:{port}: {error.strerror}. Use another --port."
            ) from error
        self.port = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/?token={self.token}"
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a page asks for more than four things at a time
        self._server = waitress.create_server(
            Application(explorer, self.token, host),
            sockets=[listener],
            threads=_THREADS,
            max_request_body_size=_MOST_BYTES,
            log_socket_errors=False,
            ident=None,
        )

    def run(self) -> None:
        """Serve until Ctrl-C."""
        self._server.run()

    def __enter__(self) -> "ExploreServer":
        """Serve on a thread of its own."""
        threading.Thread(target=self._server.run, name="explore", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self._server.close()


def _status_of(error: Exception) -> tuple[HTTPStatus, str]:
    if isinstance(error, _Refusal):
        return error.status, str(error)
    if isinstance(error, ValueError):
        return HTTPStatus.BAD_REQUEST, str(error)
    if isinstance(error, SourceError):
        return HTTPStatus.BAD_GATEWAY, str(error)
    _log.error("unexpected error answering a request", exc_info=error)
    return HTTPStatus.INTERNAL_SERVER_ERROR, "The model could not answer; the terminal of keras-vae explore says why."


def _told(line: str, api: bool) -> tuple[str, bytes]:
    if api:
        return "application/json", json.dumps({"error": line}).encode()
    return "text/plain; charset=utf-8", f"{line}\n".encode()


def _host_name(header: str) -> str:
    """Return the name of a Host header, without the port.

    Example:
        >>> _host_name("localhost:8888"), _host_name("[::1]:80"), _host_name("127.0.0.1")
        ('localhost', '::1', '127.0.0.1')
    """
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _expect_method(environ: dict[str, Any], method: str) -> None:
    received = environ["REQUEST_METHOD"]
    if received != method and (method, received) != ("GET", "HEAD"):
        raise _Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"method: expected {method}, received {received}. Use {method}.")


def _body(environ: dict[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(environ["wsgi.input"].read())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(
            'body: expected a JSON object, received something else. Pass {"z": [[0.0, 0.0]]}, for example.'
        )
    return found


def _index(environ: dict[str, Any]) -> int | None:
    given = parse_qs(environ.get("QUERY_STRING", "")).get("index")
    if given is None:
        return None
    if not given[0].isdecimal() or len(given[0]) > 9:
        raise ValueError(f"index: expected an integer from 0, received {given[0]!r:.40}. Use 0, for example.")
    return int(given[0])
