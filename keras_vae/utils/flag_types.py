"""Types of command-line flags: each parses one value, or reports what was expected and received."""

import dataclasses
import math
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from cyclopts import Parameter, Token

from keras_vae.utils.arguments import LARGEST_SEED, known_name
from keras_vae.utils.imports import is_import_path


def read_with(read: Callable[[str], Any], **others: Any) -> Parameter:
    """Return the annotation of a flag that takes one value.

    Args:
        read: Parses the text, or raises a ValueError that says what was expected and received.
        others: Other arguments of `cyclopts.Parameter`.
    """

    def convert(kind: Any, tokens: Sequence[Token]) -> Any:
        return read(tokens[0].value)

    return Parameter(converter=convert, n_tokens=1, **others)


def _read_each(read: Callable[[str], Any]) -> Parameter:
    def convert(hint: Any, tokens: Sequence[Token]) -> tuple[Any, ...]:
        return tuple(read(token.value) for token in tokens)

    return Parameter(converter=convert, consume_multiple=1, allow_repeating=False)


def one_of(kind: str, names: Sequence[str], or_import: bool = False) -> Parameter:
    """Return the annotation of a flag that takes one of these names; spellings of version 0.1 are accepted.

    Args:
        kind: What the names refer to, for error messages.
        names: The names; may be empty.
        or_import: Whether `package.module:Name` is also allowed.
    """

    def read(text: str) -> str:
        if or_import and is_import_path(text):
            return text
        if or_import and (":" in text or not names):
            raise ValueError(f"expected package.module:Name, received {text!r}")
        return known_name(text, names, kind)

    return read_with(read)


def choice(kind: str) -> Parameter:
    """Return the annotation of a flag that takes one name of a `Literal`; spellings of version 0.1 are accepted."""

    def convert(hint: Any, tokens: Sequence[Token]) -> str:
        return known_name(tokens[0].value, _names(hint), kind)

    return Parameter(converter=convert, n_tokens=1)


def _names(hint: Any) -> list[str]:
    parts = typing.get_args(hint)
    return [p for part in parts for p in ([part] if isinstance(part, str) else _names(part))]


def _integer(text: str, least: float, expected: str, most: float = math.inf) -> int:
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        raise ValueError(f"expected {expected}, received {text!r}")
    return value


def _number(text: str, least: float, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least < value < math.inf:
        raise ValueError(f"expected {expected}, received {text!r}")
    return value


def _scale(text: str) -> float | str:
    if text in ("learned", "learned_per_element", "predicted"):
        return text
    return _number(text, 0, "learned, learned_per_element, predicted or a positive number")


def _positive(text: str) -> int:
    return _integer(text, 1, "a positive integer")


Integer = Annotated[int, read_with(lambda text: _integer(text, -math.inf, "an integer"))]
Index = Annotated[int, read_with(lambda text: _integer(text, 0, "an integer from 0"))]
Positive = Annotated[int, read_with(_positive)]
Port = Annotated[int, read_with(lambda text: _integer(text, 0, "a port, 0 to 65535", 65535))]
Seed = Annotated[int, read_with(lambda text: _integer(text, 0, f"an integer from 0 to {LARGEST_SEED}", LARGEST_SEED))]
PositiveNumber = Annotated[float, read_with(lambda text: _number(text, 0, "a positive number"))]
Scale = Annotated[float | str, read_with(_scale)]
PositivePair = Annotated[tuple[int, int], _read_each(_positive)]
PositiveIntegers = Annotated[tuple[int, ...], _read_each(_positive)]
Numbers = Annotated[tuple[float, ...], _read_each(lambda text: _number(text, -math.inf, "a number"))]


def flag_names(settings: type) -> dict[str, str]:
    """Return the flag of each field of a dataclass: as annotated, or the field's name with dashes.

    Example:
        >>> @dataclasses.dataclass
        ... class Settings:
        ...     batch_size: int
        ...     latent_size: Annotated[int, Parameter(name="--latent")]
        >>> flag_names(Settings)
        {'batch_size': '--batch-size', 'latent_size': '--latent'}
    """
    hints = typing.get_type_hints(settings, include_extras=True)
    found = {}
    for field in dataclasses.fields(settings):
        annotations = getattr(hints[field.name], "__metadata__", ())
        named = [name for part in annotations if isinstance(part, Parameter) for name in part.name or ()]
        found[field.name] = named[0] if named else f"--{field.name.replace('_', '-')}"
    return found
