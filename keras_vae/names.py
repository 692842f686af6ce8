"""Looking a part up by its name, with an error that helps."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

Part = TypeVar("Part")


def lookup(name: str, registry: Mapping[str, Part], kind: str) -> Part:
    """Return `registry[name]`.

    Raises:
        ValueError: If there is no such name; it lists those there are.

    Example:
        >>> lookup("mlp", {"mlp": 1}, "network")
        1
        >>> lookup("mpl", {"mlp": 1}, "network")
        Traceback (most recent call last):
        ...
        ValueError: Unknown network: 'mpl'. Did you mean 'mlp'? There are: 'mlp'
    """
    if name in registry:
        return registry[name]
    close = difflib.get_close_matches(str(name), registry, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"Unknown {kind}: {name!r}.{hint} There are: {', '.join(map(repr, registry))}")
