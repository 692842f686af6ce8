"""Checks a list of models before anything is loaded or retired for it."""

from pathlib import PurePosixPath

from tensorflow_serving.config import model_server_config_pb2

from serving.core.errors import RequestError, invalid_argument

_PLATFORM = "tensorflow"


def check_list(
    config: model_server_config_pb2.ModelServerConfig, before: model_server_config_pb2.ModelServerConfig
) -> None:
    """Checks a configuration; most messages are TensorFlow Serving's own.

    Args:
        config: The configuration to check.
        before: The one in force.

    Raises:
        RequestError: If it is not a list, or lists a model twice, without a name, at a relative path, or on a platform
            other than TensorFlow.
    """
    if config.WhichOneof("config") == "custom_model_config":
        raise invalid_argument("custom_model_config is not supported; list the models in model_config_list")
    names = set()
    platforms = {entry.name: _platform(entry) for entry in before.model_config_list.config}
    for entry in config.model_config_list.config:
        if not entry.name:
            raise invalid_argument(f"Model with base_path {entry.base_path!r} has no name")
        if entry.name in names:
            raise invalid_argument(f"Illegal to list model {entry.name} multiple times in config list")
        names.add(entry.name)
        if not PurePosixPath(entry.base_path).is_absolute():
            raise _bad_path(entry)
        if entry.HasField("logging_config"):
            raise invalid_argument(f"Model {entry.name} has a logging_config; this server does not log requests")
        platform = _platform(entry)
        if platforms.get(entry.name, platform) != platform:
            raise invalid_argument(
                f"Illegal to change a model's platform. For model {entry.name} platform was"
                f" {platforms[entry.name]} and new platform requested is {platform}"
            )
        if platform != _PLATFORM:
            raise invalid_argument(f"Model {entry.name} has platform {platform!r}; only {_PLATFORM!r} is served")


def _platform(entry: model_server_config_pb2.ModelConfig) -> str:
    by_type = entry.model_type == model_server_config_pb2.TENSORFLOW
    if entry.model_type and entry.model_platform:
        raise invalid_argument(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
        )
    if entry.model_type and not by_type:
        raise invalid_argument(f"ModelServerConfig::model_type choice {entry.model_type} not supported.")
    if not entry.model_type and not entry.model_platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    return _PLATFORM if by_type else entry.model_platform


def _bad_path(entry: model_server_config_pb2.ModelConfig) -> RequestError:
    if "://" in entry.base_path:
        return invalid_argument(
            f"Model {entry.name} has base_path {entry.base_path}; this server reads local directories only"
        )
    return invalid_argument(
        f"Expected model {entry.name} to have an absolute path or URI; got base_path()={entry.base_path}"
    )
