"""The server's command line."""

import argparse
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence

from serving.options.flags import parser

# Seconds between two looks for a signal: one that comes just before a wait begins does not end it.
_LOOK = 0.1

# glibc's names and numbers, from malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE = 1024 * 1024
_ARENAS = 2


def main(argv: Sequence[str] | None = None, prog: str = "python -m serving") -> int:
    """Serves until SIGTERM or SIGINT.

    Args:
        argv: The command line without the program's name; the process's own by default.
        prog: The program's name in its help.

    Returns:
        The exit code: 0 once stopped, 1 if serving could not begin.
    """
    flags_parser = parser(prog)
    flags = flags_parser.parse_args(argv)
    if not flags.model_config_file and not flags.model_base_path:
        flags_parser.error("give --model_base_path or --model_config_file")
    if not flags.port and not flags.grpc_socket_path and not flags.rest_api_port:
        flags_parser.error("nothing to listen on: give --port, --grpc_socket_path or --rest_api_port")
    if flags.port and flags.port == flags.rest_api_port:
        flags_parser.error("--rest_api_port must differ from --port")
    # Without a lock, which the thread that the handler interrupts may hold already, as an Event's.
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: asked.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        return _serve(flags, asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(flags: argparse.Namespace, asked: list[int]) -> int:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("serving").setLevel(flags.log_level.upper())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would report a taken port in words of its own
    give_back_freed_memory()

    import tensorflow as tf  # takes seconds, which --help need not

    from serving.core.errors import ModelLoadError, RequestError
    from serving.options.settings_from_flags import settings_of
    from serving.server import Server

    with contextlib.suppress(RuntimeError):  # where TensorFlow has run before, it keeps the threads it has
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
    while not asked:
        time.sleep(_LOOK)
    server.stop()
    return 0


def _addresses(host: str, flags: argparse.Namespace) -> list[str]:
    addresses = [f"{host}:{flags.port} (gRPC)"] if flags.port else []
    addresses += [f"{flags.grpc_socket_path} (gRPC)"] if flags.grpc_socket_path else []
    return addresses + ([f"{host}:{flags.rest_api_port} (REST)"] if flags.rest_api_port else [])


def give_back_freed_memory() -> None:
    """Sees to it that the memory of a large request goes back to the system once it is answered.

    By default glibc keeps what a thread has freed, up to 64 MB, for that thread: a server with many threads would grow
    until each has had its largest request. Call it before threads begin; elsewhere than on glibc it does nothing.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
