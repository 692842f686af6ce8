"""Reading the shapes, numbers and names that users pass."""

import difflib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeVar


def as_shape(shape: int | Sequence[int], owner: str) -> tuple[int, ...]:
    """Read an event shape, or say what is wrong with it.

    Raises:
        ValueError: If it is empty or holds anything but positive integers.
    """
    dims = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if not dims or not all(_is_positive_integer(d) for d in dims):
        raise ValueError(
            f"{owner}: event_shape must be a positive integer or a non-empty sequence of them, such as 20 "
            f"or (28, 28, 1); received {shape!r}"
        )
    return tuple(int(d) for d in dims)


def positive_integer(value: Any, name: str) -> int:
    """Read a positive integer, Python's or NumPy's.

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> positive_integer(0, "ELBO: num_samples")
        Traceback (most recent call last):
        ...
        ValueError: ELBO: num_samples must be a positive integer; received 0
    """
    if not _is_positive_integer(value):
        raise ValueError(f"{name} must be a positive integer; received {value!r}")
    return int(value)


def seed_number(value: Any, name: str) -> int:
    """Read a seed: an integer from 0 to 2³¹ − 1, wherever an argument is called `seed`.

    Args:
        value: What was passed.
        name: The function that has the argument, for the error.

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> seed_number(-1, "log_likelihood")
        Traceback (most recent call last):
        ...
        ValueError: log_likelihood: seed is out of range: expected an integer from 0 to 2147483647, received -1
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or not 0 <= int(value) < 2**31:
        raise ValueError(f"{name}: seed is out of range: expected an integer from 0 to {2**31 - 1}, received {value!r}")
    return int(value)


def _is_positive_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0


Part = TypeVar("Part")

# Names passed as strings, which were spelled in British English up to version 0.1.
RESPELLED = {
    "grey": "gray",
    "grey_levels": "gray_levels",
    "dequantised": "dequantized",
    "discretised_logistic_mixture": "discretized_logistic_mixture",
    "reparametrised": "reparameterized",
    "doubly_reparametrised": "doubly_reparameterized",
}


def warn_renamed(old: str, new: str) -> None:
    """Warn that `old` is now called `new`."""
    warnings.warn(f"{old} is deprecated and will be removed in version 0.3. Use {new} instead.", DeprecationWarning, 3)


def known_name(name: str, registry: Iterable[str], kind: str) -> str:
    """Return `name` as the registry spells it; a name from version 0.1 is accepted with a DeprecationWarning.

    Raises:
        ValueError: If there is no such name; it lists those there are.

    Example:
        >>> known_name("mlp", ["mlp", "conv"], "network")
        'mlp'
    """
    names = list(registry)
    if name in names:
        return name
    respelled = RESPELLED.get(name)
    if respelled in names:
        warn_renamed(f"{kind} {name!r}", repr(respelled))
        return respelled
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"Unknown {kind}: expected one of {', '.join(map(repr, names))}, received {name!r}.{hint}")


def lookup(name: str, registry: Mapping[str, Part], kind: str) -> Part:
    """Return `registry[name]`, the name read as `known_name` does.

    Raises:
        ValueError: If there is no such name; it lists those there are.

    Example:
        >>> lookup("mlp", {"mlp": 1}, "network")
        1
        >>> lookup("mpl", {"mlp": 1}, "network")
        Traceback (most recent call last):
        ...
        ValueError: Unknown network: expected one of 'mlp', received 'mpl'. Did you mean 'mlp'?
    """
    return registry[known_name(name, registry, kind)]
