"""Makes a server's settings from its flags, and reads the files that these name."""

import argparse
from typing import Any

import grpc

from serving.core.batching import Batching
from serving.core.served_model import Retries
from serving.options.config_files import (
    ConfigError,
    read_batching_parameters,
    read_monitoring_config,
    read_ssl_config,
)
from serving.options.settings import Settings

_DEFAULT_PROMETHEUS_PATH = "/monitoring/prometheus/metrics"
_MICROS = 1e6


def settings_of(flags: argparse.Namespace) -> Settings:
    """Reads the flags.

    Args:
        flags: The command line, as `serving.options.flags.parser` parsed it.

    Returns:
        The settings.

    Raises:
        ValueError: If flags or their files contradict each other, or a file cannot be read.
    """
    if flags.batching_parameters_file and not flags.enable_batching:
        raise ValueError(
            "--batching_parameters_file: expected --enable_batching with it, received none. Pass both or neither."
        )
    settings = Settings(
        grpc_socket_path=flags.grpc_socket_path,
        model_config_file=flags.model_config_file or None,
        model_config_file_poll_wait_seconds=flags.model_config_file_poll_wait_seconds,
        file_system_poll_wait_seconds=flags.file_system_poll_wait_seconds,
        batching=_batching(flags.batching_parameters_file) if flags.enable_batching else None,
        retries=Retries(most=flags.max_num_load_retries, interval=max(flags.load_retry_interval_micros, 0) / _MICROS),
        allow_version_labels_for_unavailable_models=flags.allow_version_labels_for_unavailable_models,
        enable_model_warmup=flags.enable_model_warmup,
        enable_serialization_as_tensor_content=flags.enable_serialization_as_tensor_content,
        channel_arguments=_channel_arguments(flags.grpc_channel_arguments),
        credentials=_credentials(flags.ssl_config_file) if flags.ssl_config_file else None,
        rest_port=flags.rest_api_port or None,
        rest_timeout_in_ms=flags.rest_api_timeout_in_ms,
        rest_cors=flags.rest_api_enable_cors_support,
        log_requests=flags.log_format == "json",
        prometheus_path=_prometheus_path(flags.monitoring_config_file) if flags.monitoring_config_file else None,
    )
    if flags.grpc_max_threads:
        settings = settings.replace(max_threads=flags.grpc_max_threads)
    if flags.rest_api_num_threads:
        settings = settings.replace(rest_threads=flags.rest_api_num_threads)
    return settings


def _batching(path: str) -> Batching:
    if not path:
        return Batching()
    message = read_batching_parameters(path)
    given: dict[str, Any] = {}
    for name in ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"):
        if message.HasField(name):
            given[name] = getattr(message, name).value
    if message.allowed_batch_sizes:
        given["allowed_batch_sizes"] = tuple(message.allowed_batch_sizes)
    # thread_pool_name is ignored: it has no visible effect.
    for name, is_set in (
        ("pad_variable_length_inputs", message.pad_variable_length_inputs),
        ("enable_large_batch_splitting", message.enable_large_batch_splitting.value),
        ("max_execution_batch_size", message.HasField("max_execution_batch_size")),
    ):
        if is_set:
            raise ConfigError(f"{path}: {name} is not supported by this server. Remove it.")
    try:
        return Batching(**given)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _channel_arguments(text: str) -> dict[str, int | str]:
    arguments: dict[str, int | str] = {}
    for argument in filter(None, text.split(",")):
        name, equals, value = argument.partition("=")
        if not name or not equals:
            raise ValueError(f"--grpc_channel_arguments: expected name=value,name=value, received {argument!r}.")
        try:
            arguments[name] = int(value)
        except ValueError:
            arguments[name] = value
    return arguments


def _credentials(path: str) -> grpc.ServerCredentials:
    message = read_ssl_config(path)
    for name in ("server_key", "server_cert"):
        if "-----BEGIN" not in getattr(message, name):
            raise ConfigError(
                f"{path}: {name}: expected the contents of a PEM file, received other text. Paste the file's contents."
            )
    if message.client_verify and not message.custom_ca:
        raise ConfigError(
            f"{path}: client_verify: expected custom_ca with it, received none."
            " Set custom_ca to the authority that signs the clients' certificates."
        )
    return grpc.ssl_server_credentials(
        [(message.server_key.encode(), message.server_cert.encode())],
        root_certificates=message.custom_ca.encode() or None,
        require_client_auth=message.client_verify,
    )


def _prometheus_path(path: str) -> str | None:
    message = read_monitoring_config(path).prometheus_config
    if not message.enable:
        return None
    if message.path and not message.path.startswith("/"):
        raise ConfigError(f"{path}: prometheus_config.path: expected a leading slash, received {message.path!r}.")
    return message.path or _DEFAULT_PROMETHEUS_PATH
