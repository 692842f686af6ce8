"""Writes TensorFlow Serving's configuration files and flags for a bundle."""

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.deploy.exported import Exported
from serving.options.config_messages import BatchingParameters, MonitoringConfig

GRPC_PORT, REST_PORT = 8500, 8501
METRICS_PATH = "/monitoring/prometheus/metrics"
# Processors of one replica.
CPUS = 2

_MAX_QUEUE_BYTES = 256 * 2**20
# Threads of gRPC that wait for requests, and those of calls for the status and metadata.
_SPARE_THREADS = 8


def model_base_path(name: str) -> str:
    """Returns a model's path in the container."""
    return f"/models/{name}"


def models_config(name: str, version: int) -> str:
    """Writes the file for `--model_config_file`: one model, at this version only."""
    message = model_server_config_pb2.ModelServerConfig()
    model = message.model_config_list.config.add(
        name=name, base_path=model_base_path(name), model_platform="tensorflow"
    )
    model.model_version_policy.specific.versions.append(version)
    return (
        "# To serve more versions at the same time, add a line `versions: ...` for each.\n"
        "# Once they are loaded, labels may point to them, one entry per label:\n"
        f'#   version_labels {{ key: "stable" value: {version} }}\n'
        "# A label for a version that is not loaded yet, as at startup, is refused without the flag\n"
        "# --allow_version_labels_for_unavailable_models.\n" + text_format.MessageToString(message)
    )


def batching_config(exported: Exported, max_batch_size: int, callers: int) -> str:
    """Writes the file for `--batching_parameters_file`.

    Args:
        exported: The version to serve.
        max_batch_size: The rows in the largest batch, and so in the largest request.
        callers: The requests that a replica is expected to have in flight at a time.

    Returns:
        The text; batches are padded to the next power of two, so that few sizes are run.
    """
    message = BatchingParameters()
    message.max_batch_size.value = max_batch_size
    message.batch_timeout_micros.value = 0
    message.max_enqueued_batches.value = _max_enqueued_batches(exported, max_batch_size, callers)
    message.num_batch_threads.value = CPUS
    message.allowed_batch_sizes.extend(_powers_of_two(max_batch_size))
    return (
        "# No request waits for a fuller batch: batches form while all threads are busy.\n"
        f"# One thread per processor of a replica, {CPUS}: change both together.\n"
        f"# The queue takes a full batch from each of {callers} callers, or fewer if those would hold more than"
        f" {_MAX_QUEUE_BYTES // 2**20} MiB.\n"
        "# A full queue refuses requests.\n" + text_format.MessageToString(message)
    )


def monitoring_config() -> str:
    """Writes the file for `--monitoring_config_file`."""
    message = MonitoringConfig()
    message.prometheus_config.enable = True
    message.prometheus_config.path = METRICS_PATH
    return text_format.MessageToString(message)


def thread_flags(callers: int) -> list[str]:
    """Lists the flags that give a server threads for its callers; its own default is four per processor.

    A thread waits with its request until the answer is there, with batching also for other requests, and a server
    without a free one refuses. gRPC starts threads when they are needed, and may not have ended the one of a caller's
    last request when the next one arrives: hence two for each.

    Args:
        callers: The requests that a replica is expected to have in flight at a time.
    """
    return [f"--grpc_max_threads={2 * callers + _SPARE_THREADS}", f"--rest_api_num_threads={callers}"]


def server_flags(folder: str, batching: bool, callers: int) -> list[str]:
    """Lists the server's flags.

    Args:
        folder: The folder of the configuration files in the container.
        batching: Whether there is a `batching.config` among them.
        callers: The requests that a replica is expected to have in flight at a time.
    """
    return [
        f"--port={GRPC_PORT}",
        f"--rest_api_port={REST_PORT}",
        *thread_flags(callers),
        f"--model_config_file={folder}/models.config",
        "--allow_version_labels_for_unavailable_models=true",
        *(["--enable_batching=true", f"--batching_parameters_file={folder}/batching.config"] if batching else []),
        f"--monitoring_config_file={folder}/monitoring.config",
    ]


def _powers_of_two(largest: int) -> list[int]:
    return [2**power for power in range((largest - 1).bit_length())] + [largest]


def _max_enqueued_batches(exported: Exported, max_batch_size: int, callers: int) -> int:
    # Each signature has a queue of its own. A request joins the last batch in it, or begins one: each caller adds at
    # most one batch.
    row = sum(row.request or 0 for row in exported.signatures.values())
    fitting = _MAX_QUEUE_BYTES // max(1, row * max_batch_size)
    return max(1, min(callers, fitting))
