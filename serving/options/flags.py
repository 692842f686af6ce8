"""The server's flags: TensorFlow Serving's names and meanings, as far as they are supported."""

import argparse
import importlib.metadata
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

_MEANT_TO_BE_TRUE = {"true": True, "1": True, "false": False, "0": False}


class _ShowVersion(argparse.Action):
    """Prints what the server runs on, looked up only if asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        versions = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "grpcio")]
        print("serving on " + ", ".join(versions))
        parser.exit()


def _between(kind: Callable[[str], Any], least: float, most: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g}; received {text}")
        return value

    read.__name__ = kind.__name__  # argparse names it if the text is no number
    return read


def _boolean(text: str) -> bool:
    if text.lower() not in _MEANT_TO_BE_TRUE:
        raise argparse.ArgumentTypeError(f"must be true or false; received {text}")
    return _MEANT_TO_BE_TRUE[text.lower()]


_port = _between(int, 0, 65535)
_positive = _between(int, 1, 2**31 - 1)
_count = _between(int, 0, 2**31 - 1)
_seconds = _between(float, 0, threading.TIMEOUT_MAX)


class _Flag(NamedTuple):
    name: str
    type: Callable[[str], Any]
    default: Any
    help: str


_FLAGS = [
    _Flag("host", str, "127.0.0.1", "address to listen on; TensorFlow Serving, which has no such flag, listens on all"),
    _Flag("port", _port, 8500, "port for gRPC; 0 for none"),
    _Flag("grpc_socket_path", str, "", "UNIX socket for gRPC besides"),
    _Flag("rest_api_port", _port, 0, "port for REST; 0 for none"),
    _Flag("rest_api_num_threads", _count, 0, "threads for REST; 0 for four a processor"),
    _Flag("rest_api_timeout_in_ms", _positive, 30_000, "how long a REST request may take"),
    _Flag("model_name", str, "default", "name clients ask for, if no file lists the models"),
    _Flag("model_base_path", str, "", "directory that holds one directory a version, named 1, 2, ..."),
    _Flag("model_config_file", str, "", "file with a ModelServerConfig, which lists the models"),
    _Flag("model_config_file_poll_wait_seconds", _seconds, 0.0, "seconds between looks at that file; 0 for one look"),
    _Flag("file_system_poll_wait_seconds", _seconds, 1.0, "seconds between looks for new versions; 0 for one look"),
    _Flag("max_num_load_retries", _count, 5, "attempts to load a version after the first one failed"),
    _Flag("load_retry_interval_micros", int, 60_000_000, "microseconds between two attempts; negative for no wait"),
    _Flag("enable_batching", _boolean, False, "run requests of different clients as one batch"),
    _Flag("batching_parameters_file", str, "", "file with BatchingParameters"),
    _Flag(
        "allow_version_labels_for_unavailable_models",
        _boolean,
        False,
        "let a new label name a version that is not served yet, as at the start",
    ),
    _Flag("enable_model_warmup", _boolean, True, "replay a version's recorded requests before it takes traffic"),
    _Flag("ssl_config_file", str, "", "file with an SSLConfig, for TLS"),
    _Flag("monitoring_config_file", str, "", "file with a MonitoringConfig, for metrics on the REST port"),
    _Flag("grpc_channel_arguments", str, "", "arguments of the gRPC channel: name=value,name=value"),
    _Flag("grpc_max_threads", _count, 0, "threads that may answer gRPC; 0 for as many as are needed, up to 256"),
    # Requests already share the processors: splitting a small model's operations too halves the throughput.
    _Flag("tensorflow_intra_op_parallelism", _count, 1, "threads one operation may use; 0 for as many as processors"),
    _Flag("tensorflow_inter_op_parallelism", _count, 0, "operations that may run at a time; 0 for TensorFlow's choice"),
]


def parser(prog: str) -> argparse.ArgumentParser:
    """Builds the parser; a flag it does not know is an error.

    Args:
        prog: The program's name in its help.
    """
    built = argparse.ArgumentParser(
        prog=prog,
        description="Serves SavedModels over gRPC and REST as TensorFlow Serving does.",
        allow_abbrev=False,
    )
    for flag in _FLAGS:
        shown = "" if flag.default == "" else f" (default: {str(flag.default).lower()})"
        # As in TensorFlow Serving, a switch may stand without a value.
        optional: dict[str, Any] = {}
        if flag.type is _boolean:
            optional = {"nargs": "?", "const": True, "metavar": "true|false"}
        built.add_argument(f"--{flag.name}", type=flag.type, default=flag.default, help=flag.help + shown, **optional)
    built.add_argument(
        "--log_level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="debug logs one line a request (default: info)",
    )
    built.add_argument("--version", nargs=0, action=_ShowVersion, help="show what the server runs on")
    return built
