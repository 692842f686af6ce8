"""Parts of the user's own, named as `package.module:Name`."""

import importlib
import os
import re
import sys
from typing import Any

_IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_import_path(text: str) -> bool:
    """Say whether a text has the form `package.module:Name`.

    Example:
        >>> is_import_path("my_parts.families:Poisson"), is_import_path("bernoulli")
        (True, False)
    """
    return _IMPORT_PATH.fullmatch(text) is not None


def import_object(path: str) -> Any:
    """Import what `package.module:Name` names, from the current directory or the environment.

    Raises:
        ValueError: If it cannot be imported.

    Example:
        >>> import_object("math:gcd")(4, 6)
        2
        >>> import_object("math:gcf")
        Traceback (most recent call last):
        ...
        ValueError: expected package.module:Name, received 'math:gcf', but the module math has no 'gcf'
    """
    module_name, _, name = path.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last, so that no file in it hides a module of the environment
    try:
        found = importlib.import_module(module_name)
    except Exception as error:  # the user's module may raise anything
        raise ValueError(
            f"expected package.module:Name, received {path!r}, but {module_name} cannot be imported "
            f"({type(error).__name__}: {error})"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(
                f"expected package.module:Name, received {path!r}, but the module {module_name} has no {name!r}"
            )
        found = getattr(found, part)
    return found
