"""`Server`: connects models, gRPC, REST, metrics and the watch for changes."""

import logging
import os
import threading
import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tensorflow_serving.config import model_server_config_pb2

from serving.core import warmup
from serving.core.errors import RequestError
from serving.core.methods import Methods
from serving.core.metrics import Metrics
from serving.core.models import Models
from serving.core.observation import Observation
from serving.core.servable import Servable
from serving.core.watch import Watch
from serving.grpc_api.endpoint import GrpcEndpoint
from serving.options.config_files import ConfigError, read_model_server_config
from serving.options.settings import Settings
from serving.request_log import log_request

_log = logging.getLogger(__name__)


class Server:
    """Serves models over gRPC, and optionally REST, as TensorFlow Serving does.

    ```python
    with Server(model_name="digits", model_base_path="models/digits", port=0) as server:
        print(server.port)
    ```
    """

    def __init__(
        self,
        *,
        model_name: str = "",
        model_base_path: str | os.PathLike[str] = "",
        host: str = "127.0.0.1",
        port: int | None = 8500,
        settings: Settings | None = None,
        **more: Any,
    ) -> None:
        """Prepares a server; `start` starts it.

        Args:
            model_name: The model's name in requests, if one model is served.
            model_base_path: The directory that holds one directory per version of it.
            host: The address to listen on.
            port: The port for gRPC; 0 for any free port, None for none.
            settings: All other options; the defaults if None.
            more: Fields of `Settings` by name, which override those in `settings`.

        Raises:
            ValueError: If the settings contradict each other.
            TypeError: If there is no such setting.
        """
        self.settings = (settings or Settings()).replace(**more)
        self.host, self.port = host, port
        self.rest_port = self.settings.rest_port
        if self.settings.model_config_file is None:
            if not model_name or not os.fspath(model_base_path):
                raise ValueError(
                    f"Server: expected a model, received model_name={model_name!r} and"
                    f" model_base_path={os.fspath(model_base_path)!r}. Pass both, or model_config_file."
                )
            self._config = _single_model(model_name, model_base_path)
        else:
            self._config = read_model_server_config(self.settings.model_config_file)
        self.metrics = Metrics()
        self.models = Models(
            self._load, self.settings.retries, self.settings.allow_version_labels_for_unavailable_models
        )
        self.metrics.watch_batches(self.models.batch_sizes)
        self.methods = Methods(
            self.models, self._update_health, as_tensor_content=self.settings.enable_serialization_as_tensor_content
        )
        self._watch = Watch(self._update_health)
        self._grpc: GrpcEndpoint | None = None
        self._rest: Any = None

    def start(self) -> None:
        """Loads the models and starts to serve; `port` and `rest_port` are then the ports it listens on.

        Models that cannot be loaded are logged and retried; the others are served.

        Raises:
            RequestError: If the list of models is wrong.
            ModelLoadError: If no model can be loaded.
            OSError: If it cannot listen on a port.
        """
        problems = self.models.configure(self._config)
        if problems and not any(self.models.get(name).servable() for name in self.models.names()):  # type: ignore[union-attr]
            raise problems[0]
        endpoint = self._grpc = GrpcEndpoint(
            self.methods,
            observe=partial(self._observe, "GRPC"),
            core_threads=self.settings.core_threads,
            max_threads=self.settings.max_threads,
            options=self.settings.channel_arguments,
        )
        try:
            if self.port is not None:
                self.port = endpoint.listen(f"{self.host}:{self.port}", self.settings.credentials)
            if self.settings.grpc_socket_path:
                endpoint.listen_on_socket(self.settings.grpc_socket_path)
            if self.rest_port is not None:
                self._start_rest(self.rest_port)
        except OSError:
            self.stop()
            raise
        endpoint.start()
        self._update_health()
        self._start_watch()

    def stop(self) -> None:
        """Stops accepting requests, and waits up to `settings.grace` seconds for those in flight."""
        # At the same time: while one drains, the other must not accept more.
        ends = [part.stop for part in (self._watch, self._rest, self._grpc) if part is not None]
        threads = [threading.Thread(target=end, args=(self.settings.grace,)) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

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

    def _load(self, name: str, version: int, path: Path) -> Servable:
        begun = time.monotonic()
        servable = Servable(version, path, self.settings.batching)
        if self.settings.enable_model_warmup:
            warmup.replay(path, servable)
        self.metrics.observe_load(name, version, time.monotonic() - begun)
        return servable

    def _start_rest(self, port: int) -> None:
        # Imported only if needed.
        from serving.rest.server import RestServer

        self._rest = RestServer(
            self.methods,
            host=self.host,
            port=port,
            observe=partial(self._observe, "REST"),
            num_threads=self.settings.rest_threads,
            timeout_in_ms=self.settings.rest_timeout_in_ms,
            prometheus_path=self.settings.prometheus_path,
            render_metrics=self.metrics.render,
            cors=self.settings.rest_cors,
        )
        self._rest.start()
        self.rest_port = self._rest.port

    def _start_watch(self) -> None:
        settings = self.settings
        # Without polling of the file system, failed loads are still retried.
        pause = settings.file_system_poll_wait_seconds or settings.retries.interval
        if settings.file_system_poll_wait_seconds or not self.models.all_available():
            self._watch.every(pause, self.models.refresh)
        if settings.model_config_file is not None and settings.model_config_file_poll_wait_seconds:
            self._watch.every(settings.model_config_file_poll_wait_seconds, self._reread)
        self._watch.start()

    def _reread(self) -> None:
        """Serves the models that the file lists now; an invalid file changes nothing."""
        path = self.settings.model_config_file
        assert path is not None, "called only if there is a file"
        try:
            config = read_model_server_config(path)
            if config != self._config:
                self.models.configure(config)
                self._config = config
        except ConfigError as error:
            _log.error("%s", error)
        except RequestError as error:
            _log.error("%s: %s", path, error.details)

    def _update_health(self) -> None:
        if self._grpc is not None:
            self._grpc.set_healthy(self.models.all_available())

    def _observe(self, entrypoint: str, observation: Observation) -> None:
        request = observation.request
        spec = getattr(request, "model_spec", None)
        if spec is None and getattr(request, "tasks", None):
            spec = request.tasks[0].model_spec
        model, signature = (spec.name, spec.signature_name) if spec is not None else ("", "")
        if observation.api:
            self.metrics.observe_request(
                model=model,
                signature=signature,
                status=observation.code.name,
                api=observation.api,
                entrypoint=entrypoint,
                seconds=observation.seconds,
            )
        level = logging.INFO if self.settings.log_requests else logging.DEBUG
        log_request(level, entrypoint, observation, model, signature)


def _single_model(name: str, base_path: str | os.PathLike[str]) -> model_server_config_pb2.ModelServerConfig:
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=os.path.abspath(base_path), model_platform="tensorflow")
    return config
