"""Reads a request's body as a JSON object."""

import json
from typing import Any

from serving.core.errors import RequestError, invalid_argument

_LONGEST_EXCERPT = 200
_KINDS = {bool: "Bool", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


def read_object(body: bytes) -> dict[str, Any]:
    """Reads a body.

    Args:
        body: JSON in UTF-8; the tokens NaN, Infinity and -Infinity are numbers too.

    Returns:
        The object.

    Raises:
        RequestError: If it is not a JSON object, or a key occurs twice.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        value = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise invalid_argument(f"JSON Parse error: Not UTF-8 at offset: {error.start}") from error
    except json.JSONDecodeError as error:
        raise invalid_argument(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except RecursionError as error:
        raise invalid_argument("JSON Parse error: Nested too deeply") from error
    except ValueError as error:  # Python refuses to read numbers of thousands of digits.
        raise invalid_argument(f"JSON Parse error: {error}") from error
    if not isinstance(value, dict):
        raise invalid_argument(f"JSON Value: {excerpt(value)} Is not object")
    return value


def signature_name(body: dict[str, Any]) -> str:
    """Returns the name of the signature asked for; empty for the default one.

    Raises:
        RequestError: If it is not a string.
    """
    name = body.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {excerpt(body)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return encodable(name)


def encodable(text: str) -> str:
    """Returns a text if UTF-8 can encode it.

    Raises:
        RequestError: If it holds half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise invalid_argument("JSON Parse error: The surrogate pair in string is invalid.") from error
    return text


def excerpt(value: Any) -> str:
    """Returns the beginning of a JSON value, for an error message."""
    shown = ""
    try:
        for piece in json.JSONEncoder().iterencode(value):
            shown += piece
            if len(shown) > _LONGEST_EXCERPT:
                break
    except RecursionError:
        shown = "[" * (_LONGEST_EXCERPT + 1)
    return shown if len(shown) <= _LONGEST_EXCERPT else shown[:_LONGEST_EXCERPT] + "..."


def kind(value: Any) -> str:
    """Returns TensorFlow Serving's name for a JSON value's type."""
    return _KINDS.get(type(value), "Null")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _duplicate(pairs)
    return value


def _duplicate(pairs: list[tuple[str, Any]]) -> RequestError:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    return invalid_argument(f"JSON Parse error: The key {excerpt(key)} occurs twice in an object")
