"""`Settings`: every option of a server other than its models and its address."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import grpc

from serving.core.batching import Batching
from serving.core.served_model import Retries

_CPUS = os.cpu_count() or 1
_MAX_THREADS = 256


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A server's settings; names and defaults are those of TensorFlow Serving's flags, where it has them.

    Attributes:
        grpc_socket_path: A UNIX socket to listen on too; empty for none.
        model_config_file: The file that lists the models; None if one model is named instead.
        model_config_file_poll_wait_seconds: How often to read it again; 0 for never.
        file_system_poll_wait_seconds: How often to look for new versions; 0 for only at startup.
        batching: How to batch requests; None for no batching.
        retries: When to retry a version that failed to load.
        allow_version_labels_for_unavailable_models: Whether a new label may name a version not served yet.
        enable_model_warmup: Whether a new version first answers its recorded warm-up requests.
        enable_serialization_as_tensor_content: Whether Predict answers with bytes in `tensor_content`, which are
            shorter for integers, not with typed fields.
        max_threads: The most threads that answer gRPC, including those added while others are stuck.
        channel_arguments: Arguments of the gRPC channel.
        credentials: For TLS; None for none.
        rest_port: The port for REST; 0 for any free port, None for none.
        rest_threads: The threads that answer REST.
        rest_timeout_in_ms: How long a REST request may take, in milliseconds.
        rest_cors: Whether pages from other origins may send REST requests.
        prometheus_path: The path of the metrics on the REST port; None for none.
        log_requests: Whether to log one line per request at level `info`, and not only at `debug`.
        grace: The seconds that requests in flight have to finish when the server stops.
    """

    grpc_socket_path: str = ""
    model_config_file: str | os.PathLike[str] | None = None
    model_config_file_poll_wait_seconds: float = 0.0
    file_system_poll_wait_seconds: float = 1.0
    batching: Batching | None = None
    retries: Retries = field(default_factory=Retries)
    allow_version_labels_for_unavailable_models: bool = False
    enable_model_warmup: bool = True
    enable_serialization_as_tensor_content: bool = False
    max_threads: int = _MAX_THREADS
    channel_arguments: Mapping[str, int | str] = field(default_factory=dict)
    credentials: grpc.ServerCredentials | None = None
    rest_port: int | None = None
    rest_threads: int = 4 * _CPUS
    rest_timeout_in_ms: int = 30_000
    rest_cors: bool = False
    prometheus_path: str | None = None
    log_requests: bool = False
    grace: float = 10.0

    def __post_init__(self) -> None:
        for name in ("max_threads", "rest_threads", "rest_timeout_in_ms"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a positive number, received {getattr(self, name)}.")
        if self.prometheus_path is not None and self.rest_port is None:
            raise ValueError(
                f"prometheus_path: expected a REST port to serve it on, received {self.prometheus_path!r} without one."
                " Pass rest_port (--rest_api_port) too."
            )

    @property
    def core_threads(self) -> int:
        """The threads that always run: all of them where each waits for other requests to fill a batch."""
        waits = self.batching is not None and self.batching.batch_timeout_micros > 0
        return self.max_threads if waits else min(_CPUS, self.max_threads)

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some settings changed."""
        return dataclasses.replace(self, **changes)
