"""Finding the likelihood that a user means: by name, by class, by object, or by where it is defined."""

import inspect
from collections.abc import Sequence
from typing import Any, TypeAlias

from keras_vae.families import LIKELIHOODS, Family
from keras_vae.utils.arguments import as_shape, lookup, one_line
from keras_vae.utils.imports import import_object

Likelihood: TypeAlias = str | type[Family] | Family


def find_likelihood(value: Any) -> type[Family] | Family:
    """Return the family that a value names; it has `support` and `preprocessing`, whether a class or an object.

    Args:
        value: A name in `keras_vae.families.LIKELIHOODS`, such as "bernoulli"; `"package.module:Name"`, which imports
            the family `Name`, a class or an object, from that module; or a `keras_vae.families.Family` itself, a class
            or an object.

    Raises:
        ValueError: If there is no such name or no such module, or the module has no family of that name.
        TypeError: If `value` is anything else.

    Example:
        >>> find_likelihood("bernoulli").__name__
        'Bernoulli'
        >>> find_likelihood("keras_vae.families.beta:Beta").__name__
        'Beta'
    """
    if isinstance(value, str):
        return _imported(value) if ":" in value else lookup(value, LIKELIHOODS, "likelihood")
    if not _is_family(value):
        raise TypeError(
            "likelihood: expected a name, a keras_vae.families.Family class or a Family object, received "
            f"{value!r}. Use one of {', '.join(map(repr, LIKELIHOODS))}, or keras_vae.families.Bernoulli."
        )
    return value


def as_likelihood(value: Any, event_shape: int | Sequence[int], **options: Any) -> Family:
    """Return a likelihood of data.

    Args:
        value: As in `find_likelihood`.
        event_shape: Shape of one x.
        options: Other arguments of the family's constructor, if `value` is not an object; None stands for the default.

    Raises:
        ValueError: As `find_likelihood`; if an object has another event shape; or if the family has no such option.
        TypeError: As `find_likelihood`.

    Example:
        >>> as_likelihood("normal", (28, 28, 1), scale=0.1).scale_spec
        0.1
        >>> from keras_vae.families import Beta
        >>> as_likelihood(Beta, 3).event_shape
        (3,)
    """
    family: Any = find_likelihood(value)
    given = {name: option for name, option in options.items() if option is not None}
    is_object = not isinstance(family, type)
    if is_object:
        if given:
            raise ValueError(
                f"likelihood: expected no options with a {type(family).__name__} object, received {_shown(given)}. "
                "Pass them to the object's constructor."
            )
        event = as_shape(event_shape, "likelihood")
        if family.event_shape != event:
            raise ValueError(
                f"likelihood: expected a {type(family).__name__} with event_shape {event}, received "
                f"{family.event_shape}. Use the shape of one x."
            )
        return family
    taken = inspect.signature(family).parameters
    unknown = {name: option for name, option in given.items() if name not in taken}
    if unknown:
        raise ValueError(
            f"likelihood: expected no {', '.join(unknown)} for {family.__name__}, received {_shown(unknown)}. "
            "Leave it out, or use another likelihood, such as 'normal' with a scale."
        )
    return family.likelihood(event_shape, **given)


def _imported(path: str) -> type[Family] | Family:
    try:
        found = import_object(path)
    except ValueError as error:
        raise ValueError(f"likelihood: {error} Check PYTHONPATH as well.") from error
    if not _is_family(found):
        raise ValueError(
            f"likelihood: expected {path!r} to be a Family class or object, received {one_line(found)}. "
            "Derive the class from keras_vae.families.Family."
        )
    return found


def _is_family(value: Any) -> bool:
    return isinstance(value, Family) or (isinstance(value, type) and issubclass(value, Family))


def _shown(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={option!r}" for name, option in options.items())
