"""Checks of the shapes, numbers and names that users pass."""

import difflib
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeVar

_SHOWN = 80


def one_line(value: Any) -> str:
    """Return how a value is shown in an error message: its `repr` in one line, cut after 80 characters.

    Example:
        >>> one_line([[1.0, 2.0]] * 50)
        '[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, …'
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def as_shape(shape: int | Sequence[int], owner: str) -> tuple[int, ...]:
    """Return an event shape as a tuple.

    Raises:
        ValueError: If it is empty or contains anything but positive integers.

    Example:
        >>> as_shape(20, "Normal")
        (20,)
    """
    dims = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if not dims or not all(_is_positive_integer(d) for d in dims):
        raise ValueError(
            f"{owner}: event_shape: expected a positive integer or a non-empty sequence of them, received "
            f"{one_line(shape)}. "
            "Use 20 or (28, 28, 1), for example."
        )
    return tuple(int(d) for d in dims)


def positive_integer(value: Any, name: str) -> int:
    """Return a positive integer, from a Python or NumPy integer.

    Raises:
        ValueError: If `value` is anything else.

    Example:
        >>> positive_integer(0, "ELBO: num_samples")
        Traceback (most recent call last):
        ...
        ValueError: ELBO: num_samples: expected a positive integer, received 0. Use 1, for example.
    """
    if not _is_positive_integer(value):
        raise ValueError(f"{name}: expected a positive integer, received {one_line(value)}. Use 1, for example.")
    return int(value)


LARGEST_SEED = 2**31 - 1


def seed_number(value: Any, name: str) -> int:
    """Return a seed, from a Python or NumPy integer.

    Args:
        value: The argument `seed`.
        name: The function that takes it, for the error message.

    Raises:
        ValueError: If `value` is not an integer from 0 to 2³¹ − 1.

    Example:
        >>> seed_number(1.7, "log_likelihood")
        Traceback (most recent call last):
        ...
        ValueError: log_likelihood: seed: expected an integer from 0 to 2147483647, received 1.7. Use 0, for example.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or not 0 <= int(value) <= LARGEST_SEED:
        raise ValueError(
            f"{name}: seed: expected an integer from 0 to {LARGEST_SEED}, received {one_line(value)}. "
            "Use 0, for example."
        )
    return int(value)


def only_accepted(function: Callable[..., Any], **optional: Any) -> dict[str, Any]:
    """Return the arguments that are not None and that `function` takes, since a user's own may lack newer ones.

    Example:
        >>> only_accepted(lambda x, training=None: x, training=True, sample_weight=1.0)
        {'training': True}
    """
    known = inspect.signature(function).parameters
    any_name = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values())
    return {name: value for name, value in optional.items() if value is not None and (any_name or name in known)}


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1.

    Example:
        >>> counted(1, "epoch"), counted(20, "epoch")
        ('1 epoch', '20 epochs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is_positive_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0


Part = TypeVar("Part")

# String arguments that were spelled in British English up to version 0.1.
RESPELLED = {
    "grey": "gray",
    "grey_levels": "gray_levels",
    "dequantised": "dequantized",
    "discretised_logistic_mixture": "discretized_logistic_mixture",
    "reparametrised": "reparameterized",
    "doubly_reparametrised": "doubly_reparameterized",
}


def warn_renamed(old: str, new: str) -> None:
    """Warn that `old` is now called `new`, at the caller's line outside this package: there Python shows it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("keras_vae."):
        level, frame = level + 1, frame.f_back
    message = f"{old} is deprecated and will be removed in version 0.3. Use {new} instead."
    warnings.warn(message, DeprecationWarning, level)


def known_name(name: str, registry: Iterable[str], kind: str) -> str:
    """Return `name` as the registry spells it; a name from version 0.1 is accepted with a DeprecationWarning.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.

    Example:
        >>> known_name("mlp", ["mlp", "conv"], "network")
        'mlp'
    """
    names = list(registry)
    if name in names:
        return name
    respelled = RESPELLED.get(name)
    if respelled in names:
        warn_renamed(f"{kind}: {name!r}", repr(respelled))
        return respelled
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"Unknown {kind}: expected one of {', '.join(map(repr, names))}, received {name!r}.{hint}")


def lookup(name: str, registry: Mapping[str, Part], kind: str) -> Part:
    """Return `registry[name]`, with `name` checked by `known_name`.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.

    Example:
        >>> lookup("mlp", {"mlp": 1}, "network")
        1
        >>> lookup("mpl", {"mlp": 1}, "network")
        Traceback (most recent call last):
        ...
        ValueError: Unknown network: expected one of 'mlp', received 'mpl'. Did you mean 'mlp'?
    """
    return registry[known_name(name, registry, kind)]
