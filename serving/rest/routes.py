"""The table of REST routes: which model and method a request's path names."""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from tensorflow_serving.apis import model_pb2

from serving.core.errors import invalid_argument

_SPEC = r"/v1/models(?:/(?P<name>[^/:]+))?(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_PATTERNS = {
    "POST": re.compile(_SPEC + r":(?P<method>classify|regress|predict)", re.IGNORECASE),
    "GET": re.compile(_SPEC + r"(?:/(?P<method>metadata))?", re.IGNORECASE),
}
_STATUS, _METADATA = "status", "metadata"
_LARGEST_VERSION = 2**63 - 1


class Route(NamedTuple):
    """What a path asks for.

    Attributes:
        method: `classify`, `regress`, `predict`, `metadata` or `status`.
        spec: The model and, if the path names one, its version or label.
    """

    method: str
    spec: model_pb2.ModelSpec


def find_route(http_method: str, path: str) -> Route:
    """Reads a path.

    Args:
        http_method: The HTTP method in upper case.
        path: The path as it was sent, with its query.

    Returns:
        The route.

    Raises:
        RequestError: If there is no such route.
    """
    pattern = _PATTERNS.get(http_method)
    match = pattern.fullmatch(path) if pattern else None
    method = match["method"] if match else None
    # As in TensorFlow Serving, the patterns ignore case, but the methods exist in lower case only; what GET names in
    # another case is the status.
    if http_method == "GET" and method != _METADATA:
        method = _STATUS
    if match is None or method is None or not method.islower() or (http_method == "POST" and not match["name"]):
        raise invalid_argument(f"Malformed request: {http_method} {path}")
    if not match["name"]:
        raise invalid_argument("Missing model name in request.")
    spec = model_pb2.ModelSpec(name=_decoded("model name", match["name"]))
    if match["version"]:
        # A number with more digits is too large anyway, and Python refuses to parse thousands of digits.
        version = int(match["version"]) if len(match["version"]) < 1000 else _LARGEST_VERSION + 1
        if version > _LARGEST_VERSION:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = version
    if match["label"]:
        spec.version_label = _decoded("model version label", match["label"])
    return Route(method, spec)


def _decoded(what: str, quoted: str) -> str:
    try:
        return unquote_to_bytes(quoted.encode("latin-1")).decode()
    except UnicodeError as error:
        raise invalid_argument(f"Failed to decode {what}:{quoted}") from error
