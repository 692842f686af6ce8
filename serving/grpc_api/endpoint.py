"""`GrpcEndpoint`: the gRPC server, with its services, threads, limits and ports."""

import contextlib
import os
import socket
import stat
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from serving.core.methods import Methods
from serving.core.observation import Observer
from serving.grpc_api.handlers import CallThreads
from serving.grpc_api.services import MODEL_SERVICE, PREDICTION_SERVICE, model_service, prediction_service
from serving.grpc_api.standard_services import HEALTH_SERVICE, HealthService, reflection_handler
from serving.wire.protocol import MAX_GRPC_MESSAGE_BYTES

_SERVICES = (PREDICTION_SERVICE, MODEL_SERVICE)
# Calls beyond this many per thread are refused, so that the number that wait is bounded.
_CALLS_A_THREAD = 4
# Calls that wait to be accepted. By default gRPC drops some beyond 1000 with CANCELLED; a client that sends that many
# should have them answered or refused.
_UNSEEN_CALLS = 10_000
_OPTIONS = {
    # Otherwise a second server on the same port would start, and receive half of the requests.
    "grpc.so_reuseport": 0,
    "grpc.max_receive_message_length": MAX_GRPC_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_GRPC_MESSAGE_BYTES,
    "grpc.server.max_pending_requests": _UNSEEN_CALLS,
    "grpc.server.max_pending_requests_hard_limit": _UNSEEN_CALLS,
}


class GrpcEndpoint:
    """A gRPC server with health and reflection; it reports itself healthy only after `set_healthy(True)`."""

    def __init__(
        self,
        methods: Methods,
        *,
        observe: Observer,
        core_threads: int,
        max_threads: int,
        options: Mapping[str, int | str],
    ) -> None:
        """Prepares the server; `listen` and `start` open it.

        Args:
            methods: The methods that answer the requests.
            observe: Called after each request.
            core_threads: The number of threads that always run.
            max_threads: The most threads, including those added while others are stuck. Four times as many calls may
                be open; those beyond end with RESOURCE_EXHAUSTED.
            options: Further arguments of the gRPC channel.
        """
        self._threads = CallThreads(core=core_threads, most=max_threads, observe=observe)
        self._server = grpc.server(
            self._threads,
            options=list((_OPTIONS | dict(options)).items()),
            maximum_concurrent_rpcs=_CALLS_A_THREAD * max_threads,
        )
        self._server.add_generic_rpc_handlers((prediction_service(methods, observe), model_service(methods, observe)))
        # A client may watch health, or keep reflection open, forever: not on the threads that answer requests.
        self._side_threads = futures.ThreadPoolExecutor(4, thread_name_prefix="serving-side")
        self._health = HealthService(self._side_threads)
        reflection = reflection_handler((*_SERVICES, HEALTH_SERVICE), self._side_threads)
        self._server.add_generic_rpc_handlers((self._health.handler(), reflection))
        self.set_healthy(False)

    def listen(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        """Opens a port.

        Args:
            address: The host and port; port 0 for any free port.
            credentials: For TLS; None for none.

        Returns:
            The port.

        Raises:
            OSError: If it cannot be opened.
        """
        try:
            if credentials is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            doubt = "is the port in use?" if credentials is None else "is the port in use, or are the keys not PEM?"
            raise OSError(f"cannot listen on {address}: {doubt}") from error

    def listen_on_socket(self, path: str) -> None:
        """Opens a UNIX socket, replacing one that a dead server left behind.

        Args:
            path: The socket's path.

        Raises:
            OSError: If it cannot be opened.
        """
        _remove_abandoned(Path(path))
        try:
            self._server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            raise OSError(
                f"cannot listen on the socket {path}: does its folder exist, and is its path shorter than 108 bytes?"
            ) from error

    def start(self) -> None:
        """Starts to answer."""
        self._server.start()

    def set_healthy(self, healthy: bool) -> None:
        """Sets the health of the server and of each of its services."""
        status = health_pb2.HealthCheckResponse.SERVING if healthy else health_pb2.HealthCheckResponse.NOT_SERVING
        self._health.set(dict.fromkeys(("", *_SERVICES), status))

    def stop(self, grace: float) -> None:
        """Accepts no more calls, and waits at most `grace` seconds for those in flight."""
        self._health.end()
        self._server.stop(grace).wait()
        self._threads.shutdown()
        self._side_threads.shutdown(wait=False, cancel_futures=True)


def _remove_abandoned(path: Path) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(f"cannot listen on the socket {path}: expected no file, received one that is not a socket.")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            return
    raise OSError(f"cannot listen on the socket {path}: another server listens on it. Use another path.")
