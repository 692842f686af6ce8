"""The server's command-line flags, with TensorFlow Serving's names and meanings where it has them."""

import argparse
import importlib.metadata
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class _ShowVersion(argparse.Action):
    """Prints the versions of the packages underneath, which are looked up only for this."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        versions = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "grpcio")]
        print("serving on " + ", ".join(versions))
        parser.exit()


def _between(kind: Callable[[str], Any], least: float, most: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected {least:g} to {most:g}, received {text}")
        return value

    read.__name__ = kind.__name__  # argparse uses the name in its message if the text is not a number
    return read


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise argparse.ArgumentTypeError(f"expected true or false, received {text}")
    return _BOOLEANS[text.lower()]


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
    _Flag("grpc_socket_path", str, "", "UNIX socket for gRPC, in addition to the port"),
    _Flag("rest_api_port", _port, 0, "port for REST; 0 for none"),
    _Flag("rest_api_num_threads", _count, 0, "threads for REST; 0 for four per processor"),
    _Flag("rest_api_timeout_in_ms", _positive, 30_000, "how long a REST request may take"),
    _Flag("rest_api_enable_cors_support", _boolean, False, "let web pages from other origins use REST"),
    _Flag("model_name", str, "default", "the model's name in requests, unless a file lists the models"),
    _Flag("model_base_path", str, "", "directory that holds one directory per version, named 1, 2, ..."),
    _Flag("model_config_file", str, "", "file with a ModelServerConfig, which lists the models"),
    _Flag("model_config_file_poll_wait_seconds", _seconds, 0.0, "seconds between reads of it; 0 to read it once"),
    _Flag("file_system_poll_wait_seconds", _seconds, 1.0, "seconds between looks for new versions; 0 to look once"),
    _Flag("max_num_load_retries", _count, 5, "attempts to load a version after the first has failed"),
    _Flag("load_retry_interval_micros", int, 60_000_000, "microseconds between two attempts; negative for no wait"),
    _Flag("enable_batching", _boolean, False, "run requests of different clients as one batch"),
    _Flag("batching_parameters_file", str, "", "file with BatchingParameters"),
    _Flag(
        "allow_version_labels_for_unavailable_models",
        _boolean,
        False,
        "let a new label name a version that is not served yet, as at startup",
    ),
    _Flag("enable_model_warmup", _boolean, True, "replay a version's recorded requests before it takes traffic"),
    _Flag(
        "enable_serialization_as_tensor_content",
        _boolean,
        False,
        "answer Predict with bytes in tensor_content, not with typed fields such as float_val",
    ),
    _Flag("ssl_config_file", str, "", "file with an SSLConfig, for TLS"),
    _Flag("monitoring_config_file", str, "", "file with a MonitoringConfig, for metrics on the REST port"),
    _Flag("grpc_channel_arguments", str, "", "arguments of the gRPC channel: name=value,name=value"),
    _Flag("grpc_max_threads", _count, 0, "most threads that answer gRPC; 0 for as many as are needed, up to 256"),
    # Requests already share the processors; splitting a small model's operations as well halves the throughput.
    _Flag("tensorflow_intra_op_parallelism", _count, 1, "threads one operation may use; 0 for one per processor"),
    _Flag("tensorflow_inter_op_parallelism", _count, 0, "operations that may run at a time; 0 for TensorFlow's choice"),
]


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as those of the other commands of `keras-vae`."""

    def error(self, message: str) -> NoReturn:
        """Print the error, and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message.rstrip('.')}. See {self.prog} --help\n")


def parser(prog: str) -> argparse.ArgumentParser:
    """Builds the parser; an unknown flag is an error.

    Args:
        prog: The program's name in its help.
    """
    built = _Parser(
        prog=prog,
        usage="%(prog)s --model_name=NAME --model_base_path=PATH [--flag=VALUE ...]",
        description="Serve SavedModels over gRPC and REST as TensorFlow Serving does. Flags have the names of "
        "TensorFlow Serving, with underscores.",
        epilog="Example: %(prog)s --model_name=digits --model_base_path=models/digits --port=8500",
        allow_abbrev=False,
    )
    for flag in _FLAGS:
        shown = "" if flag.default == "" else f" (default: {str(flag.default).lower()})"
        # As in TensorFlow Serving, a boolean flag needs no value.
        optional: dict[str, Any] = {}
        if flag.type is _boolean:
            optional = {"nargs": "?", "const": True, "metavar": "true|false"}
        built.add_argument(f"--{flag.name}", type=flag.type, default=flag.default, help=flag.help + shown, **optional)
    built.add_argument(
        "--log_level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="debug logs one line per request (default: info)",
    )
    built.add_argument(
        "--log_format",
        choices=["text", "json"],
        default="text",
        help="json logs JSON, and at level info one line per request with its ID (default: text)",
    )
    built.add_argument("--version", nargs=0, action=_ShowVersion, help="print the versions of TensorFlow and gRPC")
    return built
