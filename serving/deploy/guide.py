"""The README of a bundle."""

from serving.deploy.configs import GRPC_PORT, METRICS_PATH, REST_PORT
from serving.deploy.plan import Plan

# What a gRPC client receives unless told otherwise.
_GRPC_DEFAULT_BYTES = 4 * 2**20


def readme(plan: Plan) -> str:
    """Writes `README.md`."""
    exported = plan.exported
    return f"""\
# {plan.name}, version {exported.version}, for TensorFlow Serving

Made from an export by TensorFlow {exported.tensorflow_version}, for `{plan.image}`.
{_batching(plan)}
{_warmup(plan)}

## On one machine

    docker compose up --detach --wait

gRPC is then on 127.0.0.1:{GRPC_PORT}, REST and metrics ({METRICS_PATH}) on 127.0.0.1:{REST_PORT}. The server reads
`models.config` anew every 10 seconds; the other files only at a start.

## On Kubernetes

    docker build --tag REGISTRY/{plan.label}:{exported.version} .
    docker push REGISTRY/{plan.label}:{exported.version}
    # put REGISTRY/{plan.label} into kustomization.yaml, under images
    kubectl apply -k .
    kubectl rollout status deployment/{plan.label}

The image holds the model; the configuration files go along as a ConfigMap. The image and the files before come back by
`kubectl rollout undo deployment/{plan.label}`.

## On KServe

    # copy the folder models/{plan.name} to {plan.storage_uri}
    kubectl apply -f kserve/inferenceservice.yaml

## Without a container

The base path in `models.config` is the container's. For a server on this machine, such as this project's own:

    sed "s|/models/|$PWD/models/|" models.config > /tmp/models.config
    python -m serving {_local_flags(plan)}

## Message sizes

{_sizes(plan)}
"""


def _batching(plan: Plan) -> str:
    if plan.max_batch_size is not None:
        return (
            f"Requests of several clients are run together, up to {plan.max_batch_size} rows; "
            "a request with more rows is refused."
        )
    return f"There is no `batching.config`: {plan.exported.unbatchable}."


def _warmup(plan: Plan) -> str:
    if plan.exported.has_warmup:
        return "It carries warm-up requests, which are replayed before it takes traffic."
    return "It carries no warm-up requests: the first requests will be slow."


def _local_flags(plan: Plan) -> str:
    batching = " --enable_batching=true --batching_parameters_file=batching.config" if plan.batching else ""
    return (
        f"--port={GRPC_PORT} --rest_api_port={REST_PORT} --model_config_file=/tmp/models.config{batching}"
        " --monitoring_config_file=monitoring.config"
    )


def _sizes(plan: Plan) -> str:
    lines = [
        "A gRPC client receives 4 MiB unless told otherwise; the server takes more.",
        "",
        "| signature | request, bytes a row | answer, bytes a row | rows in an answer of 4 MiB |",
        "|---|---|---|---|",
    ]
    for name, row in plan.exported.signatures.items():
        fitting = _GRPC_DEFAULT_BYTES // row.answer if row.answer else None
        lines.append(f"| `{name}` | {_or_open(row.request)} | {_or_open(row.answer)} | {_or_open(fitting)} |")
    return "\n".join(lines)


def _or_open(value: int | None) -> str:
    return "varies" if value is None else str(value)
