"""TensorFlow's own errors, in the words and codes TensorFlow Serving gives them."""

import re

import grpc
import tensorflow as tf

# What calling a function from Python puts around a kernel's words.
_PREFIX = re.compile(r"Graph execution error:\s+Detected at node .*\n(?:<stack traces unavailable>\n|[ \t]+.*\n)*")
_FUNCTION = re.compile(r"^(?:\{\{function_node [^}]*\}\} )+")
_SUFFIX = re.compile(r"\s*\[Op:[^\]]*\]\s*$")

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def code_of(error: tf.errors.OpError) -> grpc.StatusCode:
    """Returns the gRPC code of a TensorFlow error; the two number them alike."""
    return _CODES.get(error.error_code, grpc.StatusCode.UNKNOWN)


def words_of(error: tf.errors.OpError) -> str:
    """Returns what the kernel said, without the lines about where Python called it."""
    return _FUNCTION.sub("", _SUFFIX.sub("", _PREFIX.sub("", str(error.message))))
