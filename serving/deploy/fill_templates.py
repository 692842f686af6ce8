"""Fills the templates of a bundle's files: Docker, Kubernetes, KServe and the README.

Each file under `templates/` becomes the bundle's file of the same path. They are `string.Template`s, so that every
YAML template is itself valid YAML, and an unknown or misspelled `$name` is an error. (`$$` stands for one `$`.)
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template

from serving.deploy.configs import CPUS, GRPC_PORT, METRICS_PATH, REST_PORT, server_flags, thread_flags
from serving.deploy.exported import RowBytes
from serving.deploy.plan import Plan

# Where the configuration files lie in the container.
_COMPOSE_FOLDER, _POD_FOLDER = "/bundle", "/config"
# What a gRPC client receives by default.
_GRPC_DEFAULT_BYTES = 4 * 2**20


def filled_files(plan: Plan) -> dict[str, str]:
    """Writes all files that come from templates.

    Args:
        plan: What is deployed.

    Returns:
        The text of each file by its path in the bundle.
    """
    values = _values(plan)
    return {path: Template(text).substitute(values) for path, text in _templates()}


def _templates() -> Iterator[tuple[str, str]]:
    folders: list[tuple[str, Traversable]] = [("", files("serving.deploy") / "templates")]
    while folders:
        prefix, folder = folders.pop()
        for child in folder.iterdir():
            if child.is_dir():
                folders.append((f"{prefix}{child.name}/", child))
            else:
                yield prefix + child.name, child.read_text(encoding="utf-8")


def _values(plan: Plan) -> dict[str, str | int]:
    return {
        "batching_sentence": _batching_sentence(plan),
        "callers": plan.callers,
        "compose_command": _flow_list(
            [*server_flags(_COMPOSE_FOLDER, plan.batching, plan.callers), "--model_config_file_poll_wait_seconds=10"],
            indent=6,
        ),
        "compose_folder": _COMPOSE_FOLDER,
        "config_files": json.dumps(plan.config_files),
        "cpus": CPUS,
        "grpc_port": GRPC_PORT,
        "kserve_args": json.dumps([f"--model_name={plan.name}", *thread_flags(plan.callers)]),
        "image": plan.image,
        "label": plan.label,
        "local_flags": _local_flags(plan),
        "memory": f"{plan.memory_mib}Mi",
        "memory_mib": plan.memory_mib,
        "metrics_path": METRICS_PATH,
        "name": plan.name,
        "pod_args": _flow_list(server_flags(_POD_FOLDER, plan.batching, plan.callers), indent=12),
        "pod_folder": _POD_FOLDER,
        "ready_path": plan.ready_path,
        "rest_port": REST_PORT,
        "size_rows": "\n".join(_size_row(name, row) for name, row in plan.exported.signatures.items()),
        "status_path": plan.status_path,
        "storage_uri": plan.storage_uri,
        # JSON's strings are YAML's; this one may hold quotes, the other values cannot.
        "storage_uri_quoted": json.dumps(plan.storage_uri),
        "tensorflow_version": plan.exported.tensorflow_version,
        "version": plan.exported.version,
        "warmed_up": _warmed_up(plan),
        "warmup_sentence": _warmup_sentence(plan),
    }


def _flow_list(items: list[str], indent: int) -> str:
    """Writes a YAML list in brackets, one item per line."""
    return "[\n" + ",\n".join(" " * indent + json.dumps(item) for item in items) + "]"


def _batching_sentence(plan: Plan) -> str:
    if plan.max_batch_size is not None:
        return (
            f"Requests of several clients are run together, up to {plan.max_batch_size} rows; "
            "a request with more rows is refused."
        )
    return f"There is no `batching.config`: {plan.exported.unbatchable}."


def _warmup_sentence(plan: Plan) -> str:
    if plan.exported.has_warmup:
        return "It carries warm-up requests, which are replayed before it takes traffic."
    return "It carries no warm-up requests: the first requests will be slow."


def _warmed_up(plan: Plan) -> str:
    if plan.exported.has_warmup:
        return "its warm-up requests done"
    return "but the export has no warm-up requests, so the first ones will be slow"


def _local_flags(plan: Plan) -> str:
    batching = " --enable_batching=true --batching_parameters_file=batching.config" if plan.batching else ""
    return (
        f"--port={GRPC_PORT} --rest_api_port={REST_PORT} {' '.join(thread_flags(plan.callers))}"
        f" --model_config_file=/tmp/models.config{batching} --monitoring_config_file=monitoring.config"
    )


def _size_row(signature: str, row: RowBytes) -> str:
    fitting = _GRPC_DEFAULT_BYTES // row.answer if row.answer else None
    return f"| `{signature}` | {_or_varies(row.request)} | {_or_varies(row.answer)} | {_or_varies(fitting)} |"


def _or_varies(value: int | None) -> str:
    return "varies" if value is None else str(value)
