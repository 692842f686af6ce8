"""Asks the page's application without a browser or a socket."""

import base64
import io
import json

import numpy as np

TOKEN = "right"


def ask(app, path, body=None, *, token=TOKEN, host="127.0.0.1:8888", method=None, query="", raw=None):
    """Return status, headers and body: JSON under /api/, else text."""
    data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": method or ("GET" if body is None and raw is None else "POST"),
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": host,
        "wsgi.input": io.BytesIO(data),
    }
    if token is not None:
        environ["HTTP_AUTHORIZATION"] = f"token {token}"
    found = {}

    def start_response(status, headers):
        found.update(status=int(status.split()[0]), headers=dict(headers))

    text = b"".join(app(environ, start_response)).decode()
    return found["status"], found["headers"], json.loads(text) if path.startswith("/api/") and text else text


def fine(app, path, body=None, **given):
    """Return the answer, which must be one."""
    status, _, answer = ask(app, path, body, **given)
    assert status == 200, answer
    return answer


def refused(app, path, body=None, status=400, **given):
    """Return the line of a refusal, which must be one line."""
    found, _, answer = ask(app, path, body, **given)
    assert found == status, answer
    assert set(answer) == {"error"}
    assert "\n" not in answer["error"]
    return answer["error"]


def unpacked(tensor):
    return np.frombuffer(base64.b64decode(tensor["float32"]), "<f4").reshape(tensor["shape"])
