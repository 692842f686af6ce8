"""Old public names: they work for one more version, with a warning; files that contain them load without one."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import keras

from keras_vae.utils.arguments import warn_renamed

Part = TypeVar("Part", bound=type)
Function = TypeVar("Function", bound=Callable[..., Any])


def renamed_names(module: str, names: Mapping[str, str], members: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return a module's `__getattr__` (PEP 562) that still resolves old names.

    Args:
        module: The module's `__name__`.
        names: The new name for each old one.
        members: The module's `globals()`.

    Example:
        >>> import warnings
        >>> find = renamed_names("package", {"Grey": "Gray"}, {"Gray": 1})
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     find("Grey")
        1
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn_renamed(f"{module}.{name}", f"{module}.{names[name]}")
        return members[names[name]]

    return find


def renamed_attribute(old: str, new: str) -> property:
    """Return a property that reads the attribute `new` under its old name, with a warning.

    Example:
        >>> class Gaps:
        ...     amortization = 1.5
        ...     amortisation = renamed_attribute("amortisation", "amortization")
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     Gaps().amortisation
        1.5
        >>> print(caught[0].message)
        Gaps.amortisation is deprecated and will be removed in version 0.3. Use Gaps.amortization instead.
    """

    def read(owner: Any) -> Any:
        kind = type(owner).__name__
        warn_renamed(f"{kind}.{old}", f"{kind}.{new}")
        return getattr(owner, new)

    return property(read, doc=f"Deprecated name of `{new}`.")


def renamed_argument(old: str, new: str) -> Callable[[Function], Function]:
    """Decorate a function so that the keyword argument `new` may still be passed under its old name, with a warning.

    Example:
        >>> @renamed_argument("neighbours", "neighbors")
        ... def vote(*, neighbors):
        ...     return neighbors
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     vote(neighbours=3)
        3
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if old in kwargs:
                warn_renamed(f"{function.__name__}({old}=...)", f"{new}=...")
                if new in kwargs:
                    raise TypeError(
                        f"{function.__name__}: expected {new} or its old name {old}, received both. Use {new}=... only."
                    )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return cast(Function, call)

    return decorate


def path_first(plot: Callable[..., Any], package: str) -> Callable[..., None]:
    """Return the function `save_<plot>(path, ...)` of version 0.1, given one that takes `path` last.

    Args:
        plot: The new function, with the old one's parameters in the same order, and `path`.
        package: The public package of both, for the warning.
    """
    names = [name for name in inspect.signature(plot).parameters if name != "path"]

    def save(path: Any, *args: Any, **kwargs: Any) -> None:
        warn_renamed(f"{package}.save_{plot.__name__}(path, ...)", f"{package}.{plot.__name__}(..., path=path)")
        plot(path=path, **dict(zip(names, args, strict=False)), **kwargs)

    return save


def also_loads(old: str) -> Callable[[Part], Part]:
    """Decorate a class so that `.keras` files with its old name still load, as this class.

    Args:
        old: The class's earlier name, registered under the package `keras_vae`.
    """

    def register(part: Part) -> Part:
        keras.saving.get_custom_objects()[f"keras_vae>{old}"] = part
        return part

    return register
