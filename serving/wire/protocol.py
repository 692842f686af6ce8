"""What server and client share other than tensors: names in messages, size limits, and how shapes and errors read."""

import re
from collections.abc import Iterable

# The one metadata field that can be asked for, and the signature meant by an empty name.
SIGNATURE_DEF = "signature_def"
DEFAULT_SIGNATURE = "serving_default"

# The most that gRPC and protobuf can carry, which is also the limit of TensorFlow Serving's gRPC.
MAX_GRPC_MESSAGE_BYTES = 2**31 - 1
# Of REST, whose JSON is parsed in Python.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

# One value may stand for a whole tensor in a message. Without this limit, a request of thirty bytes could claim all the
# memory there is.
MAX_FILLED_TENSOR_BYTES = 64 * 1024 * 1024

# What TensorFlow appends to a kernel's message: `\n\t [[{{function_node f}}{{node Reshape}}]]`, once per level.
_NODES = re.compile(r"\s*\[\[\{\{[^\n]*\}\}\]\]")
_ASSERTION = "assertion failed: "


def in_plain_words(details: str) -> str:
    r"""Returns an error message without graph nodes, and an assertion's as one line of what its model says.

    Example:
        >>> in_plain_words("indices[0] = 9 is not in [0, 2)\n\t [[{{node GatherV2}}]]")
        'indices[0] = 9 is not in [0, 2)'
        >>> in_plain_words("assertion failed: [z: expected every value finite, received] [nan] [Pass latents.]")
        'z: expected every value finite, received nan. Pass latents.'
        >>> in_plain_words("assertion failed: [x: negative.  ] [Condition x >= 0 did not hold.]")
        'x: negative. Condition x >= 0 did not hold.'
    """
    message = _NODES.sub("", details)
    if not message.startswith(_ASSERTION):
        return message
    parts = re.sub(r"\.?\s*\] \[(?=[A-Z])", ". ", message[len(_ASSERTION) :].removeprefix("[").removesuffix("]"))
    return " ".join(parts.replace("] [", " ").replace("\\'", "'").split())


def format_shape(shape: Iterable[int | None] | None) -> str:
    """Writes a shape as TensorFlow does.

    Args:
        shape: The sizes, None where any size will do; None for an unknown rank.

    Returns:
        Text such as `[?,28,28]`, or `[...]` for an unknown rank.
    """
    if shape is None:
        return "[...]"
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"
