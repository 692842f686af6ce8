"""Importing a package's parts when they are first used, and letting Keras find its classes before that."""

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
        homes: The module that defines each public name. Submodules of the package are found without.
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


def register_lazily(package: str, names: Sequence[str], modules: Sequence[str]) -> None:
    """Let Keras load objects of classes that are not imported yet.

    Keras finds a custom class in its registry alone; it never imports the module that a file names. So the registry
    holds a stand-in under each name, from the moment that Keras is imported (which may be before or after this call).
    The stand-in imports the modules, whose classes then take the stand-ins' places.

    Args:
        package: The classes' registered package.
        names: The classes' registered names, without the package.
        modules: What to import so that all of them are registered.
    """

    def add_stand_ins(keras: ModuleType) -> None:
        registry = keras.saving.get_custom_objects()
        for name in names:
            registry.setdefault(f"{package}>{name}", _StandIn(f"{package}>{name}", modules, registry))

    wrapt.register_post_import_hook(add_stand_ins, "keras")


class _StandIn:
    """What Keras finds in place of a class that is not imported yet."""

    def __init__(self, registered_name: str, modules: Sequence[str], registry: Mapping[str, Any]) -> None:
        self._name, self._modules, self._registry = registered_name, modules, registry

    def from_config(self, config: dict[str, Any]) -> Any:
        """Import the class, and make an object of it."""
        for module in self._modules:
            importlib.import_module(module)
        found = self._registry[self._name]
        if found is self:
            raise TypeError(f"{self._name} is in no module of {', '.join(self._modules)}")
        return found.from_config(config)
