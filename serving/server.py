"""The gRPC server: ties models, services, the port and the watch for new versions together."""

import logging
import os
import threading
from concurrent import futures
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from serving.core.servable import ModelLoadError
from serving.core.served_model import ServedModel
from serving.services.model_service import ModelService
from serving.services.prediction_service import PredictionService
from serving.wire.limits import MAX_MESSAGE_BYTES

_log = logging.getLogger(__name__)

_OPTIONS = [
    # Without this a second server on the same port would start, and get half of the requests.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]


class Server:
    """Serves the latest version of one model over gRPC.

    ```python
    with Server(model_name="digits", model_base_path="models/digits", port=0) as server:
        print(server.port)
    ```
    """

    def __init__(
        self,
        *,
        model_name: str,
        model_base_path: str | os.PathLike[str],
        host: str = "127.0.0.1",
        port: int = 8500,
        file_system_poll_wait_seconds: float = 1.0,
        grace: float = 10.0,
    ) -> None:
        """Says what is to be served; `start` serves it.

        Args:
            model_name: The name clients ask for.
            model_base_path: The directory that holds one directory a version.
            host: The address to listen on.
            port: The port to listen on; 0 for any that is free.
            file_system_poll_wait_seconds: How often to look for a new version; 0 for only at the start.
            grace: How many seconds requests get to finish when the server stops.
        """
        self.host = host
        self.port = port
        self.model = ServedModel(model_name, Path(model_base_path))
        self._poll_wait = file_system_poll_wait_seconds
        self._grace = grace
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._grpc_server: grpc.Server | None = None
        self._workers = futures.ThreadPoolExecutor(thread_name_prefix="serving")

    def start(self) -> None:
        """Loads the model and begins to serve; `port` is then the port listened on.

        Raises:
            ModelLoadError: If the model cannot be loaded.
            OSError: If the port cannot be listened on.
        """
        self.model.refresh()
        models = {self.model.name: self.model}
        server = grpc.server(self._workers, options=_OPTIONS)
        server.add_generic_rpc_handlers((PredictionService(models).handler(), ModelService(models).handler()))
        try:
            self.port = server.add_insecure_port(f"{self.host}:{self.port}")
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self.host}:{self.port}: is the port taken?") from error
        server.start()
        self._grpc_server = server
        if self._poll_wait > 0:
            self._watcher = threading.Thread(target=self._watch, name="serving-watcher", daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """Stops accepting requests, lets those in flight finish within the grace, and ends."""
        self._stopping.set()
        if self._grpc_server is not None:
            self._grpc_server.stop(self._grace).wait()
        self._workers.shutdown(wait=False)
        if self._watcher is not None:
            self._watcher.join(self._grace)

    def __enter__(self) -> Self:
        """Starts the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops the server."""
        self.stop()

    def _watch(self) -> None:
        complaint = ""
        while not self._stopping.wait(self._poll_wait):
            try:
                self.model.refresh()
            except (ModelLoadError, OSError) as error:
                # A base path that has gone would otherwise be reported every second.
                if str(error) != complaint:
                    _log.error("%s", error)
                complaint = str(error)
            else:
                complaint = ""
