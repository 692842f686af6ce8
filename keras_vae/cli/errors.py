"""One-line error messages in terms of the command line's flags."""

import re
from collections.abc import Mapping

from cyclopts import CoercionError, ConsumeMultipleError, CycloptsError, MissingArgumentError


class UsageError(ValueError):
    """Incompatible flags or an invalid value; the exit code is 2."""


def one_line(error: CycloptsError) -> str:
    """Return a usage error on one line: the flag, what was expected and what was received."""
    error.verbose = False
    argument = error.argument
    if isinstance(error, ConsumeMultipleError) and argument is not None:
        return f"{error.keyword or argument.name}: expected one or more values, received none"
    if isinstance(error, MissingArgumentError) and argument is not None:
        count, _ = argument.token_count()
        expected = "a value" if count == 1 else f"{count} values"
        return f"{error.keyword or argument.name}: expected {expected}, received {len(error.tokens_so_far) or 'none'}"
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(error, CoercionError) and cause is not error and argument is not None:
        return f"{argument.name}: {re.sub('^Unknown [a-z ]+: ', '', str(cause))}"
    return " ".join(str(error).split())


def in_flags(text: str, flags: Mapping[str, str]) -> str:
    """Return an error message with flags instead of Python arguments.

    Args:
        text: The message, with arguments such as `image_size=(28, 28)`.
        flags: The flag of each argument.

    Example:
        >>> in_flags("Pass image_size=(height, width).", {"image_size": "--image-size"})
        'Pass --image-size height width.'
        >>> in_flags("Use preprocess='gray'.", {"preprocess": "--preprocess"})
        'Use --preprocess gray.'
        >>> in_flags("image_size: expected None.", {"image_size": "--image-size"})
        '--image-size: expected None.'
    """

    def flag(match: re.Match[str]) -> str:
        name, value = match.groups()
        return f"{flags[name]} {value.strip('()').replace(',', '')}" if value[0] == "(" else f"{flags[name]} {value}"

    names = "|".join(map(re.escape, flags))
    text = re.sub(rf"^({names}): ", lambda match: f"{flags[match[1]]}: ", text)
    plain = re.sub(rf"""\b({names})=(['"])([\w.:-]*)\2""", r"\1=\3", text)
    return re.sub(rf"\b({names})=(\([^)]*\)|[\w.:-]*\w)", flag, plain)
