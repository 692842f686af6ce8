"""gRPC's own standard services: health, and reflection, which lists the services and their messages."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from serving.core.deadline import Deadline
from serving.core.errors import not_found
from serving.grpc_api.handlers import UNPARSED, mark_handled, parser, unary, unparsed

HEALTH_SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthService:
    """Reports whether services are ready, once or at each change.

    The implementation that comes with gRPC sends to watchers while it holds its lock. When a watcher leaves, the thread
    that moves all of the server's messages waits for that lock, so clients that watch and leave could stop the server.
    """

    def __init__(self, threads: futures.Executor) -> None:
        """Starts without services.

        Args:
            threads: The threads that send to watchers; a client that does not read may block one.
        """
        self._threads = threads
        self._lock = threading.Lock()
        self._statuses: dict[str, int] = {}
        self._watchers: set[_Watcher] = set()
        self._ended = False

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns the gRPC handler of this service."""
        request_type, response_type = health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse

        def watch(request: Any, context: grpc.ServicerContext, send: Callable[[Any], object]) -> None:
            self._watch(request, context, send)

        # The call stays open without its own thread.
        watch.experimental_non_blocking = True  # type: ignore[attr-defined]
        watch.experimental_thread_pool = self._threads  # type: ignore[attr-defined]
        handlers = {
            "Check": unary("Check", self.check, request_type, response_type, lambda *_: None),
            "Watch": grpc.unary_stream_rpc_method_handler(
                watch,
                request_deserializer=parser(request_type),
                response_serializer=response_type.SerializeToString,
            ),
        }
        return grpc.method_handlers_generic_handler(HEALTH_SERVICE, handlers)

    def end(self) -> None:
        """Reports all services as NOT_SERVING from now on, regardless of later calls of `set`."""
        self.set(dict.fromkeys(self._statuses, health_pb2.HealthCheckResponse.NOT_SERVING))
        self._ended = True

    def set(self, services: dict[str, int]) -> None:
        """Changes the status of services by name, and notifies their watchers."""
        with self._lock:
            if self._ended:
                return
            self._statuses |= services
            watchers = [watcher for watcher in self._watchers if watcher.service in services]
        for watcher in watchers:
            watcher.notify(services[watcher.service])

    def check(
        self, request: health_pb2.HealthCheckRequest, deadline: Deadline | None = None
    ) -> health_pb2.HealthCheckResponse:
        """Returns the status of a service.

        Args:
            request: The service's name; empty for the whole server.
            deadline: Unused: there is nothing to wait for.

        Raises:
            RequestError: If there is no such service.
        """
        status = self._statuses.get(request.service)
        if status is None:
            raise not_found(f"There is no service {request.service}")
        return health_pb2.HealthCheckResponse(status=status)

    def _watch(self, request: Any, context: grpc.ServicerContext, send: Callable[[Any], object]) -> None:
        mark_handled()
        if request is UNPARSED:
            error = unparsed(health_pb2.HealthCheckRequest)
            context.abort(error.code, error.details)
        watcher = _Watcher(request.service, send, self._threads)
        with self._lock:
            self._watchers.add(watcher)
            status = self._statuses.get(request.service, _SERVICE_UNKNOWN)
        if context.add_callback(lambda: self._forget(watcher)):
            watcher.notify(status)
        else:  # it has already left
            self._forget(watcher)

    def _forget(self, watcher: "_Watcher") -> None:
        with self._lock:
            self._watchers.discard(watcher)


class _Watcher:
    """A client that is sent each change, or at least the latest one."""

    def __init__(self, service: str, send: Callable[[Any], object], threads: futures.Executor) -> None:
        self.service = service
        self._send = send
        self._threads = threads
        self._lock = threading.Lock()
        self._latest: int | None = None
        self._sent: int | None = None
        self._sending = False

    def notify(self, status: int) -> None:
        """Sends a status, unless it is the last one sent; does not wait."""
        with self._lock:
            self._latest = status
            if self._sending:
                return
            self._sending = True
        self._threads.submit(self._send_all)

    def _send_all(self) -> None:
        while True:
            with self._lock:
                status = self._latest
                if status == self._sent:
                    self._sending = False
                    return
                self._sent = status
            self._send(health_pb2.HealthCheckResponse(status=status))


def reflection_handler(services: Sequence[str], threads: futures.Executor) -> grpc.GenericRpcHandler:
    """Returns the gRPC handler of reflection.

    Args:
        services: The names of the services to describe, in addition to reflection itself.
        threads: The threads that answer requests; a client may keep one busy indefinitely.
    """
    request_type, response_type = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
    answers = reflection.ReflectionServicer((*services, reflection.SERVICE_NAME)).ServerReflectionInfo

    def reflect(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        return answers(_parsed(requests, context), context)

    reflect.experimental_thread_pool = threads  # type: ignore[attr-defined]
    handler = grpc.stream_stream_rpc_method_handler(
        reflect,
        request_deserializer=parser(request_type),
        response_serializer=response_type.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, {"ServerReflectionInfo": handler})


def _parsed(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    for request in requests:
        if request is UNPARSED:
            error = unparsed(reflection_pb2.ServerReflectionRequest)
            context.abort(error.code, error.details)
        yield request
