"""Reads a request's body as a JSON object, with the error messages of RapidJSON, TensorFlow Serving's parser."""

import json
import re
from typing import Any

from serving.core.errors import RequestError, invalid_argument

_LONGEST_EXCERPT = 200
_FAULTS = {
    "Expecting value": "Invalid value.",
    "Illegal trailing comma before end of array": "Invalid value.",
    "Extra data": "The document root must not be followed by other values.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character at": "Invalid encoding in string.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
}
# RapidJSON knows more tokens than Python. A string is matched too, so that nothing inside it is.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|-?Inf(?!inity)|-NaN', re.DOTALL)
_PYTHONS_TOKENS = {"Inf": "Infinity", "-Inf": "-Infinity", "-NaN": "NaN"}
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


class Constant(float):
    """A number given by a token, such as `Infinity`, and not by a numeral that is too large."""


_KINDS = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", Constant: "Number"}


def read_object(body: bytes) -> dict[str, Any]:
    """Reads a body.

    Args:
        body: JSON. The tokens NaN, Infinity and Inf, with a minus or without, are numbers too. As in TensorFlow
            Serving, strings may hold bytes that are not UTF-8: they become surrogate escapes.

    Returns:
        The object; of a key that occurs twice, the first value.

    Raises:
        RequestError: If it is not a JSON object.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        value = _parsed(text)
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        raise invalid_argument(f"JSON Parse error: {_fault(error)} at offset: {offset}") from error
    except RecursionError as error:
        raise invalid_argument("JSON Parse error: Nested too deeply") from error
    except ValueError as error:  # Python refuses to read numbers of thousands of digits.
        raise too_big() from error
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
    """Returns a text if UTF-8 can encode it, as a name in a message must be.

    Raises:
        RequestError: If it holds bytes that are not UTF-8, or half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise bad_surrogate() from error
    return text


def bad_surrogate() -> RequestError:
    """Returns the error for half of a surrogate pair."""
    return invalid_argument("JSON Parse error: The surrogate pair in string is invalid.")


def too_big() -> RequestError:
    """Returns the error for a number that no double can hold."""
    return invalid_argument("JSON Parse error: Number too big to be stored in double.")


def excerpt(value: Any) -> str:
    """Returns the beginning of a JSON value, for an error message."""
    shown = ""
    try:
        for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
            shown += piece
            if len(shown) > _LONGEST_EXCERPT:
                break
    except RecursionError:
        shown = "[" * (_LONGEST_EXCERPT + 1)
    return shown if len(shown) <= _LONGEST_EXCERPT else shown[:_LONGEST_EXCERPT] + "..."


def kind(value: Any) -> str:
    """Returns TensorFlow Serving's name for a JSON value's type."""
    return str(value) if isinstance(value, bool) else _KINDS.get(type(value), "Null")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=Constant)
    except json.JSONDecodeError:
        known = _TOKENS.sub(lambda match: _PYTHONS_TOKENS.get(match[0], match[0]), text)
        if known == text:
            raise
        return json.loads(known, object_pairs_hook=_object, parse_constant=Constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else dict(reversed(pairs))


def _fault(error: json.JSONDecodeError) -> str:
    if error.msg != "Expecting ',' delimiter":
        return _FAULTS.get(error.msg, f"{error.msg}.")
    open_: list[str] = []
    for found in _BRACKETS.findall(error.doc[: error.pos]):
        if found in "[{":
            open_.append(found)
        elif found in "]}":
            open_.pop()
    member = "a comma or ] after an array element" if open_[-1] == "[" else "a comma or } after an object member"
    return f"Missing {member}."
