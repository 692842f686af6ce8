"""Lazy imports: parts of a package are imported on first use, and Keras can find their classes before that."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import wrapt


def lazy_names(package: str, homes: Mapping[str, str], members: dict[str, Any]) -> Callable[[str], Any]:
    """Return a package's `__getattr__` (PEP 562), which imports a name's module when the name is first used.

    Args:
        package: The package's `__name__`.
        homes: The module that defines each public name. Submodules of the package need not be listed.
        members: The package's `globals()`.

    Example:
        >>> find = lazy_names("xml", {"gcd": "math"}, {})
        >>> find("gcd")(4, 6)
        2
        >>> find("etree").__name__
        'xml.etree'
        >>> find("lcm")
        Traceback (most recent call last):
        ...
        AttributeError: module 'xml' has no attribute 'lcm'
    """

    def find(name: str) -> Any:
        if name in homes:
            members[name] = getattr(importlib.import_module(homes[name]), name)
            return members[name]
        if not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}") is not None:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find


def public_names(names: Sequence[str], members: Mapping[str, Any]) -> Callable[[], list[str]]:
    """Return a package's `__dir__`: its public names, imported or not, and Python's own, such as `__version__`.

    Args:
        names: The package's `__all__`.
        members: The package's `globals()`.

    Example:
        >>> public_names(["gcd"], {"__doc__": "", "helper": None})()
        ['__doc__', 'gcd']
    """
    return lambda: sorted({*names, *(name for name in members if name.startswith("__"))})


def register_lazily(package: str, names: Sequence[str], modules: Sequence[str]) -> None:
    """Let Keras deserialize classes that are not imported yet.

    Keras looks up a custom class only in its registry; it never imports the module that a file names. Therefore, as
    soon as Keras is imported (before or after this call), a placeholder is registered under each name. It imports the
    modules, whose classes then replace the placeholders.

    Args:
        package: The classes' registered package.
        names: The classes' registered names, without the package.
        modules: The modules whose import registers all of them.
    """

    def add_stand_ins(keras: ModuleType) -> None:
        registry = keras.saving.get_custom_objects()
        for name in names:
            registry.setdefault(f"{package}>{name}", _StandIn(f"{package}>{name}", modules, registry))

    wrapt.register_post_import_hook(add_stand_ins, "keras")


class _StandIn:
    """Placeholder for a class that is not imported yet."""

    def __init__(self, registered_name: str, modules: Sequence[str], registry: Mapping[str, Any]) -> None:
        self._name, self._modules, self._registry = registered_name, modules, registry

    def from_config(self, config: dict[str, Any]) -> Any:
        """Import the class and create an instance of it."""
        for module in self._modules:
            importlib.import_module(module)
        found = self._registry[self._name]
        if found is self:
            raise TypeError(f"{self._name}: expected its class in {', '.join(self._modules)}, received none.")
        return found.from_config(config)
