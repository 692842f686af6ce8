"""Reads TensorFlow Serving's configuration files: messages in the text format of protocol buffers."""

import os
import re
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.options.config_messages import BatchingParameters, MonitoringConfig, SSLConfig

# The parser quotes whole lines, which may hold a private key; the position is enough.
_QUOTED = re.compile(r"^'.*': (?=[A-Z])|(?<=missing ending quote): .*", re.DOTALL)


class ConfigError(ValueError):
    """A configuration file cannot be read or parsed; the message is one line."""


def read_model_server_config(path: str | os.PathLike[str]) -> model_server_config_pb2.ModelServerConfig:
    """Reads the file for `--model_config_file`.

    Args:
        path: The file.

    Returns:
        The models to serve.

    Raises:
        ConfigError: If the file cannot be read or parsed.
    """
    return _read(path, model_server_config_pb2.ModelServerConfig())


def read_batching_parameters(path: str | os.PathLike[str]) -> Any:
    """Reads the file for `--batching_parameters_file`.

    Args:
        path: The file.

    Returns:
        The `BatchingParameters`, with only the fields that the file sets.

    Raises:
        ConfigError: If the file cannot be read or parsed.
    """
    return _read(path, BatchingParameters())


def read_ssl_config(path: str | os.PathLike[str]) -> Any:
    """Reads the file for `--ssl_config_file`.

    Args:
        path: The file.

    Returns:
        The `SSLConfig`, with the keys and certificates themselves, not their paths.

    Raises:
        ConfigError: If the file cannot be read or parsed.
    """
    return _read(path, SSLConfig())


def read_monitoring_config(path: str | os.PathLike[str]) -> Any:
    """Reads the file for `--monitoring_config_file`.

    Args:
        path: The file.

    Returns:
        The `MonitoringConfig`.

    Raises:
        ConfigError: If the file cannot be read or parsed.
    """
    return _read(path, MonitoringConfig())


def _read(path: str | os.PathLike[str], message: Any) -> Any:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        reason = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise _parse_error(path, message, line, column, reason) from error
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        line, column = error.GetLine() or 1, error.GetColumn() or 1
        reason = _QUOTED.sub("", str(error).removeprefix(f"{line}:{column} : "))
        raise _parse_error(path, message, line, column, reason) from None
    except RecursionError:
        raise _parse_error(path, message, 1, 1, "it is nested too deeply") from None


def _parse_error(path: object, message: Any, line: int, column: int, reason: str) -> ConfigError:
    name = message.DESCRIPTOR.full_name
    return ConfigError(f"Error parsing text-format {name}: {line}:{column}: {' '.join(reason.split())} ({path})")
