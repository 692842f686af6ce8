"""Old public names: they work for one more version, with a warning, and files that hold them load without one."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import keras

from keras_vae.utils.arguments import warn_renamed

Part = TypeVar("Part", bound=type)


def renamed_names(module: str, names: Mapping[str, str], members: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return a module's `__getattr__` (PEP 562) that still answers to old names.

    Args:
        module: The module's `__name__`.
        names: The new name by the old one.
        members: The module's `globals()`.

    Example:
        >>> import warnings
        >>> find = renamed_names("package", {"Gray": "Gray"}, {"Gray": 1})
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     find("Gray")
        1
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn_renamed(f"{module}.{name}", f"{module}.{names[name]}")
        return members[names[name]]

    return find


def also_loads(old: str) -> Callable[[Part], Part]:
    """Decorate a class so that `.keras` files which hold its old name still load, as this class.

    Args:
        old: The class's earlier name, registered under the package `keras_vae`.
    """

    def register(part: Part) -> Part:
        keras.saving.get_custom_objects()[f"keras_vae>{old}"] = part
        return part

    return register
