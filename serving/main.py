"""The server's command line, `python -m serving` and `keras-vae serve`."""

import argparse
import contextlib
import ctypes
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence

from serving.options.flags import parser

# Seconds between checks for a signal: one that arrives just before a sleep does not end it.
_LOOK = 0.1

# glibc's names and numbers, from malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE = 1024 * 1024
_ARENAS = 2
# Each connection is a file to the system, whose usual limit, 1024, is near the number of connections of REST alone.
_FILES = 16_384


def main(argv: Sequence[str] | None = None, prog: str = "python -m serving") -> int:
    """Serves until SIGTERM or SIGINT.

    Args:
        argv: The command line without the program's name; the process's own by default.
        prog: The program's name in its help.

    Returns:
        The exit code: 0 after a stop, 1 if the server could not start.
    """
    flags_parser = parser(prog)
    flags = flags_parser.parse_args(argv)
    if not flags.model_config_file and not flags.model_base_path:
        flags_parser.error("expected a model, received none. Pass --model_base_path or --model_config_file.")
    if not flags.port and not flags.grpc_socket_path and not flags.rest_api_port:
        flags_parser.error(
            "expected a port or socket, received none. Pass --port, --grpc_socket_path or --rest_api_port."
        )
    if flags.port and flags.port == flags.rest_api_port:
        flags_parser.error(f"--rest_api_port: expected a port other than --port, received {flags.port} for both.")
    # A list, not an Event: the thread that the handler interrupts may already hold an Event's lock.
    signals: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: signals.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        return _serve(flags, signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(flags: argparse.Namespace, signals: list[int]) -> int:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("serving").setLevel(flags.log_level.upper())
    # TensorFlow warns of inputs such as `z/z1`. Requests give inputs by these names all the same.
    logging.getLogger("absl").addFilter(lambda record: "tf.function parameter name" not in record.getMessage())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would report a port in use with a message of its own
    give_back_freed_memory()
    _allow_files()

    import tensorflow as tf  # takes seconds, which --help should not wait for

    from serving.core.errors import ModelLoadError, RequestError
    from serving.options.settings_from_flags import settings_of
    from serving.request_log import JsonFormatter
    from serving.server import Server

    if flags.log_format == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())
    with contextlib.suppress(RuntimeError):  # if TensorFlow has already run, its threads are fixed
        tf.config.threading.set_intra_op_parallelism_threads(flags.tensorflow_intra_op_parallelism)
        tf.config.threading.set_inter_op_parallelism_threads(flags.tensorflow_inter_op_parallelism)
    try:
        server = Server(
            model_name=flags.model_name,
            model_base_path=flags.model_base_path,
            host=flags.host,
            port=flags.port or None,
            settings=settings_of(flags),
        )
        server.start()
    except (ModelLoadError, RequestError, OSError, ValueError) as error:
        print(f"serving: {error}", file=sys.stderr)
        return 1
    for name in server.models.names():
        for servable in server.models.get(name).servables():  # type: ignore[union-attr]
            print(f"Serving version {servable.version} of model {name}")
    print(f"Listening on {', '.join(_addresses(server.host, flags))}", flush=True)
    while not signals:
        time.sleep(_LOOK)
    server.stop()
    return 0


def _addresses(host: str, flags: argparse.Namespace) -> list[str]:
    addresses = [f"{host}:{flags.port} (gRPC)"] if flags.port else []
    addresses += [f"{flags.grpc_socket_path} (gRPC)"] if flags.grpc_socket_path else []
    return addresses + ([f"{host}:{flags.rest_api_port} (REST)"] if flags.rest_api_port else [])


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def give_back_freed_memory() -> None:
    """Makes the C library return the memory of a large request to the system once it is answered.

    By default glibc keeps up to 64 MB of freed memory per thread, so a server with many threads would grow until each
    has handled its largest request. Call this before starting threads; without glibc it does nothing.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
