"""The server's command line, with TensorFlow Serving's names for its flags."""

import argparse
import importlib.metadata
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any


class _ShowVersion(argparse.Action):
    """Prints what the server runs on, looked up only if asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        versions = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "grpcio")]
        print("serving on " + ", ".join(versions))
        parser.exit()


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError("must not be negative")
    return seconds


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:
        raise argparse.ArgumentTypeError("must be between 0 and 65535")
    return port


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Serves a SavedModel over gRPC as TensorFlow Serving does.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8500, help="port to listen on (default: %(default)s)")
    parser.add_argument("--model_name", required=True, help="name clients ask for")
    parser.add_argument(
        "--model_base_path",
        required=True,
        help="directory that holds one directory a version, named 1, 2, ...",
    )
    parser.add_argument(
        "--file_system_poll_wait_seconds",
        type=_seconds,
        default=1.0,
        help="seconds between looks for a new version; 0 looks only once (default: %(default)s)",
    )
    parser.add_argument("--version", nargs=0, action=_ShowVersion, help="show what the server runs on")
    return parser


def main(argv: Sequence[str] | None = None, prog: str = "python -m serving") -> int:
    """Serves until SIGTERM or SIGINT.

    Args:
        argv: The command line without the program's name; the process's own by default.
        prog: The program's name in its help.

    Returns:
        The exit code: 0 once stopped, 1 if serving could not begin.
    """
    args = _parser(prog).parse_args(argv)
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return _serve(args, stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(args: argparse.Namespace, stop: threading.Event) -> int:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("serving").setLevel(logging.INFO)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would report a taken port in words of its own

    from serving.core.servable import ModelLoadError  # TensorFlow takes seconds, which --help need not
    from serving.server import Server

    server = Server(
        model_name=args.model_name,
        model_base_path=args.model_base_path,
        host=args.host,
        port=args.port,
        file_system_poll_wait_seconds=args.file_system_poll_wait_seconds,
    )
    try:
        server.start()
    except (ModelLoadError, OSError) as error:
        print(f"serving: {error}", file=sys.stderr)
        return 1
    servable = server.model.servable()
    assert servable is not None, "a server that has started serves a version"
    print(
        f"Serving version {servable.version} of model {args.model_name} from {args.model_base_path}"
        f" on {server.host}:{server.port} (gRPC)",
        flush=True,
    )
    stop.wait()
    server.stop()
    return 0
