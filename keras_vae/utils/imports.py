"""Importing user-defined parts by name, `package.module:Name`."""

import importlib
import os
import re
import sys
from typing import Any

_IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_import_path(text: str) -> bool:
    """Return whether a string has the form `package.module:Name`.

    Example:
        >>> is_import_path("my_parts.families:Poisson"), is_import_path("bernoulli")
        (True, False)
    """
    return _IMPORT_PATH.fullmatch(text) is not None


def import_object(path: str) -> Any:
    """Import the object that `package.module:Name` refers to, from the environment or the current directory.

    Raises:
        ValueError: If it cannot be imported.

    Example:
        >>> import_object("math:gcd")(4, 6)
        2
        >>> import_object("math:gcf")
        Traceback (most recent call last):
        ...
        ValueError: expected package.module:Name, received 'math:gcf': math has no attribute 'gcf'. Check the name.
    """
    module_name, _, name = path.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last, so that its files do not hide modules of the environment
    try:
        found = importlib.import_module(module_name)
    except Exception as error:  # the user's module may raise anything
        raise ValueError(
            f"expected package.module:Name, received {path!r}: {module_name} cannot be imported "
            f"({type(error).__name__}: {error}). Check the module."
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(
                f"expected package.module:Name, received {path!r}: {module_name} has no attribute {name!r}. "
                "Check the name."
            )
        found = getattr(found, part)
    return found
